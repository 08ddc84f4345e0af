"""The verb `encode`: recordings to units; a corpus row by row, going on where it was stopped, in constant memory."""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onsei.audio import io
from onsei.config import to_dict
from onsei.data.manifest import Manifest, dump
from onsei.data.progress import progress
from onsei.data.row import Row
from onsei.errors import ConfigError, DataError, OnseiError
from onsei.metrics.units import collapsed
from onsei.paths import write_text
from onsei.systems.translation.acoustic.listener import WINDOW_SECONDS, Listener
from onsei.systems.translation.acoustic.shards import ABOUT, FAULTS, HEAD, UNITS, Share, joined
from onsei.systems.translation.config import Request
from onsei.systems.translation.config.units import Encode
from onsei.systems.translation.data.gather import gathered
from onsei.units.spectral import RATE

_STATE, _PART = ".encode-state.json", ".units.jsonl.part"
_CHUNK = 64
"""Rows between two savings; as many are read ahead."""
Sound = NDArray[np.float32] | None
"""Samples; None for what is longer than a window."""


def encode(options: Encode) -> None:
    """Print the units of recordings, or write those of a manifest.

    Raises:
        ConfigError: neither or both were named.
        DataError: the output folder holds units of another model or manifest; no row could be used.
    """
    if bool(options.audio) == (options.manifest is not None):
        raise ConfigError("expected recordings, or --manifest with --output-dir", "name one of them")
    if options.manifest is not None and options.output_dir is None:
        raise ConfigError("output_dir: required with a manifest", "--output-dir DIR", ["output_dir"])
    if options.audio:
        _print(options)
        return
    listener = Listener.load(options.model, options.device)
    assert options.manifest is not None
    assert options.output_dir is not None
    options.output_dir.mkdir(parents=True, exist_ok=True)
    manifest = Manifest.open(gathered(options.manifest, options.output_dir / "recordings.jsonl"))
    Writing(listener, manifest, options).run()


def _print(options: Encode) -> None:
    from onsei.systems.translation.inference import Translator

    runner = Translator.load(options.model, options.device)
    for path in options.audio:
        answer = runner(Request(path))
        if options.format == "json":
            print(json.dumps({"audio": str(path), **to_dict(answer)}, ensure_ascii=False))
            continue
        units: Sequence[int] = answer.units
        if not options.collapse:
            units = np.repeat(answer.units, answer.frames).tolist()
        print(" ".join(map(str, units)))


@dataclass
class State:
    """How far a corpus was encoded."""

    rows: int = 0
    written: int = 0
    faults: int = 0
    size: int = 0
    """Bytes of the part of the manifest that was written."""
    told: int = 0
    """Bytes of the list of faults."""


class Writing:
    """Writes the units of a manifest.

    Args:
        listener: hears them.
        manifest: the rows.
        options: where to, and how.
    """

    def __init__(self, listener: Listener, manifest: Manifest, options: Encode) -> None:
        assert options.output_dir is not None
        self.listener, self.manifest, self.options = listener, manifest, options
        self.folder: Path = options.output_dir
        self.share = Share.parsed(options.shard)
        self.rows = self.share.rows(len(manifest))
        self.about = {
            "num_clusters": listener.count,
            "fingerprint": listener.fingerprint,
            "collapsed": options.collapse,
            "frame_seconds": listener.frame_seconds,
            "model": options.model.name,
            "source": manifest.fingerprint,
        }

    def run(self) -> State:
        """Encode all rows that are not yet; returns how many there are.

        Raises:
            DataError: as of ``encode``.
        """
        state = self._resumed()
        if state is None:
            print(f"{self._file(UNITS)}: is there already, of this model and manifest")
            self._join()
            return State()
        part, faults = self._file(_PART), self._file(FAULTS)
        with part.open("ab") as file, faults.open("ab") as list_of_faults:
            file.truncate(state.size)
            list_of_faults.truncate(state.told)
            if not state.told:
                list_of_faults.write(HEAD)
            with progress("encoding", len(self.rows)) as advance:
                advance(state.rows, state.rows > 0)
                for rows, lines, reasons in self._chunks(self.rows.start + state.rows):
                    file.write(b"".join(line + b"\n" for line in lines))
                    for reason in reasons:
                        list_of_faults.write(_tabbed(reason))
                    state = self._saved(state, rows, len(lines), len(reasons), file, list_of_faults)
                    advance(rows, True)
        if not state.written and self.rows:
            raise DataError(f"{self.manifest.path}: no row could be encoded", f"the reasons are in {faults}")
        if not state.faults:
            faults.unlink()
        os.replace(part, self._file(UNITS))
        facts = {**self.about, "rows": state.written, "faults": state.faults}
        write_text(self._file(ABOUT), json.dumps(facts, indent=1) + "\n")
        self._file(_STATE).unlink(missing_ok=True)
        lost = f", {state.faults} could not be used: {FAULTS}" if state.faults else ""
        print(f"{state.written} rows with units of {self.listener.count} → {self._file(UNITS)}{lost}")
        self._join()
        return state

    def _join(self) -> None:
        if self.share.count > 1 and joined(self.folder, self.share, self.about):
            print(f"all {self.share.count} shares are done → {self.folder / UNITS}")

    def _file(self, name: str) -> Path:
        """A file of this share."""
        return self.folder / self.share.named(name)

    def _resumed(self) -> State | None:
        """Where to go on; None where all is done."""
        state, about = self._file(_STATE), self._file(ABOUT)
        about = self.folder / ABOUT if (self.folder / ABOUT).is_file() else about
        here = {name: self.about[name] for name in ("fingerprint", "collapsed", "source")}
        for file in (state, about):
            if not file.is_file() or self.options.force:
                continue
            found = _read(file)
            theirs = {name: found.get("about", found).get(name) for name in here}
            if theirs != here:
                changed = ", ".join(name for name in here if here[name] != theirs[name])
                raise DataError(
                    f"{self.folder}: holds units of another {changed.replace('source', 'manifest')}",
                    "choose another --output-dir, or --force to begin anew",
                )
            if file == about and not state.is_file():
                return None
            if file == state and self._file(_PART).is_file():
                return State(**found["state"])
        self._file(_PART).unlink(missing_ok=True)
        self._file(FAULTS).unlink(missing_ok=True)
        return State()

    def _saved(self, old: State, rows: int, written: int, faults: int, *files: Any) -> State:
        for file in files:
            file.flush()
            os.fsync(file.fileno())
        new = State(old.rows + rows, old.written + written, old.faults + faults, *(file.tell() for file in files))
        write_text(self._file(_STATE), json.dumps({"about": self.about, "state": vars(new)}))
        return new

    def _chunks(self, first: int) -> Iterator[tuple[int, list[bytes], list[tuple[str, str]]]]:
        """Rows done, lines of the manifest and faults, chunk by chunk; the next chunk is read meanwhile."""
        folder = Path(os.path.realpath(self.folder))
        with ThreadPoolExecutor(max(1, self.options.num_workers)) as pool:
            coming = self._read_ahead(pool, first)
            while coming:
                now, first = coming, first + len(coming)
                coming = self._read_ahead(pool, first)
                lines, faults = self._encoded(now, folder)
                yield len(now), lines, faults

    def _read_ahead(self, pool: ThreadPoolExecutor, first: int) -> list[Future[tuple[Row, Sound]]]:
        last = min(first + _CHUNK, self.rows.stop)
        return [pool.submit(_loaded, self.manifest, number) for number in range(first, last)]

    def _encoded(
        self, chunk: Sequence[Future[tuple[Row, Sound]]], folder: Path
    ) -> tuple[list[bytes], list[tuple[str, str]]]:
        found: dict[int, tuple[Row, NDArray[np.int64]]] = {}
        short: list[tuple[int, Row, NDArray[np.float32]]] = []
        faults: list[tuple[str, str]] = []
        for place, future in enumerate(chunk):
            row: Row | None = None
            try:
                row, sound = future.result()
                if sound is not None:
                    short.append((place, row, sound))
                else:
                    offset, span = row.segment
                    assert row.audio is not None
                    found[place] = (
                        row,
                        self.listener.units(row.audio, offset=offset, duration=span, channel=row.channel)[0],
                    )
            except OnseiError as error:
                faults.append((row.id if row else "", error.message))
        for batch in _batches(short, self.options.batch_seconds):
            units = self.listener.batch([sound for _, _, sound in batch])
            found |= {place: (row, clip) for (place, row, _), clip in zip(batch, units, strict=True)}
        lines = [dump(self._row(*found[place]), folder) for place in sorted(found)]
        return lines, faults

    def _row(self, row: Row, units: NDArray[np.int64]) -> Row:
        kept = collapsed(units)[0] if self.options.collapse else units
        return replace(row, extra={**row.extra, "units": kept.tolist()})


def _loaded(manifest: Manifest, number: int) -> tuple[Row, Sound]:
    """A row and its samples, unless it is longer than a window."""
    row = manifest[number]
    if row.audio is None:
        raise DataError(f"{row.id}: the row has no audio", "give it the key `audio`")
    offset, span = row.segment
    seconds = span if span is not None else io.info(row.audio).duration - offset
    if seconds > WINDOW_SECONDS:
        return row, None
    samples, _ = io.load(row.audio, RATE, offset=offset, duration=span, channel=row.channel)
    return row, samples


def _batches(
    sounds: Sequence[tuple[int, Row, NDArray[np.float32]]], seconds: float
) -> Iterator[list[tuple[int, Row, NDArray[np.float32]]]]:
    """Sounds of like length together, at most ``seconds`` with their padding."""
    batch: list[tuple[int, Row, NDArray[np.float32]]] = []
    for entry in sorted(sounds, key=lambda entry: len(entry[2]), reverse=True):
        if batch and len(batch[0][2]) * (len(batch) + 1) > seconds * RATE:
            yield batch
            batch = []
        batch.append(entry)
    if batch:
        yield batch


def _read(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict):
        print(f"onsei: {file}: cannot be read; beginning anew needs --force", file=sys.stderr)
        return {}
    return found


def _tabbed(cells: Sequence[str]) -> bytes:
    import io as memory

    text = memory.StringIO()
    csv.writer(text, delimiter="\t", lineterminator="\n").writerow(" ".join(cell.split()) for cell in cells)
    return text.getvalue().encode(errors="replace")
