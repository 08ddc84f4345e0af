"""Headers of many sound files, read in parallel, and what they have in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from concurrent.futures import Executor
from pathlib import Path

from onsei.audio import io
from onsei.errors import OnseiError

Header = io.AudioInfo | OnseiError
_PIECE = 600.0  # seconds decoded at once: a three-hour file is read in parts


class Headers:
    """Reads headers on ``pool``'s threads, each file once as long as its rows stand together, and counts.

    ``decode`` reads the sound too, which finds NaN, infinite samples and damage behind the header.
    """

    def __init__(self, pool: Executor, *, decode: bool = False) -> None:
        self.files = 0
        self.rates: Counter[int] = Counter()
        self.channels: Counter[int] = Counter()
        self._pool, self._decode = pool, decode
        self._last: dict[Path, Header] = {}

    def read(self, paths: Iterable[Path]) -> dict[Path, Header]:
        """The header, or what is wrong, of each of ``paths``; files of the last call are not opened again."""
        wanted = dict.fromkeys(paths)
        known = {path: found for path, found in self._last.items() if path in wanted}
        fresh = [path for path in wanted if path not in known]
        for path, found in zip(fresh, self._pool.map(self._open, fresh), strict=True):
            known[path] = found
            self.files += 1
            if not isinstance(found, OnseiError):
                self.rates[found.sample_rate] += 1
                self.channels[found.channels] += 1
        self._last = known
        return known

    def mixed(self) -> list[str]:
        """One sentence each where rates or channel counts differ."""
        told = []
        if len(self.rates) > 1:
            rates = ", ".join(f"{rate} Hz ({count} files)" for rate, count in self.rates.most_common())
            told.append(f"mixed sample rates, resampled when loaded: {rates}")
        if len(self.channels) > 1:
            counts = ", ".join(f"{number} ({count} files)" for number, count in self.channels.most_common())
            told.append(f"mixed channel counts, averaged where a row names no channel: {counts}")
        return told

    def _open(self, path: Path) -> Header:
        try:
            info = io.info(path)
            start = 0.0
            while self._decode and start < info.duration:
                last = info.duration - start < 1.5 * _PIECE
                io.load(path, offset=start, duration=None if last else _PIECE, max_seconds=None)
                start = info.duration if last else start + _PIECE
            return info
        except OnseiError as error:
            return error
