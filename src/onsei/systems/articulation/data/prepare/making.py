"""One film with its sound → a clip: pictures normalized, sound cut to the sample, mel, lag.

T frames, H height, W width, S samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from onsei.audio import io
from onsei.errors import DataError
from onsei.systems.articulation.config.prepare import Prepare
from onsei.systems.articulation.data.clips import Analysis, Clip
from onsei.systems.articulation.data.films import crop_of, in_step
from onsei.systems.articulation.data.prepare.lag import Lag, lag
from onsei.systems.articulation.data.prepare.register import Registration
from onsei.systems.articulation.data.prepare.sources import Source
from onsei.systems.articulation.data.prepared import Prepared
from onsei.vision import video
from onsei.vision.video import Film

_DARK = 128


@dataclass(frozen=True)
class Made:
    """A clip and what was noticed about it."""

    clip: Clip
    lag: Lag
    notes: tuple[str, ...]


class Maker:
    """Makes clips of one definition.

    Args:
        options: of `prepare`.
        definition: what pictures and mels are.
    """

    def __init__(self, options: Prepare, definition: Prepared) -> None:
        self.options, self.definition = options, definition
        self._analysis = Analysis(definition.mel)
        self._registration = Registration()

    def __call__(self, source: Source) -> Made:
        """Raises:
        AudioError, DataError: the film or its sound cannot be used.
        """
        notes: list[str] = []
        film = self._film(source, notes)
        frames = video.stretched(film.frames)
        if self.options.register:
            frames, shift = self._registration(frames, source.speaker or "")
            if any(shift):
                notes.append(f"moved by {shift[0]} pixels down and {shift[1]} to the right")
        if len(frames) < 2:
            raise DataError(f"{source.film}: {len(frames)} frame, which is no film", "leave it out")
        sound = self._sound(source, film, notes)
        mel = self._analysis(sound)
        found = lag(frames, mel[:, :: self.definition.subframes][:, : len(frames)], float(film.rate))
        self._check_lag(source, found)
        extra: dict[str, Any] = {"lag": round(found.seconds, 4)} if found.clear else {}
        clip = Clip(source.id, frames, sound, mel, self._mask(source, len(frames)), source.speaker, extra)
        return Made(clip, found, tuple(notes))

    def _film(self, source: Source, notes: list[str]) -> Film:
        options, side = self.options, self.definition.size
        rate = None if options.frame_rate is None else Fraction(options.frame_rate).limit_denominator(100_000)
        film = video.read(
            source.film, size=(side, side), crop=crop_of(self.definition), rate=rate, damaged=options.damaged
        )
        if film.damage:
            notes.append(f"{film.damage}: the frames before are kept")
        if film.color:
            notes.append("in color: its luma is taken")
        timed = in_step(film, self.definition.rate, retime=options.retime)
        if timed is not film:
            notes.append(f"brought from {float(film.rate):.5g} to {float(timed.rate):.5g} frames/s")
        return timed

    def _sound(self, source: Source, film: Film, notes: list[str]) -> NDArray[np.float32]:
        """Sound (S,) that begins with the first frame and ends with the last, S = T · samples of a frame."""
        rate = self.definition.mel.sample_rate
        path, late = source.sound, 0.0
        if path is None:
            header = video.info(source.film)
            if not header.sound:
                raise DataError(
                    f"{source.film}: a film without sound, and none lies beside it",
                    "name the folder of sounds by --audio-dir, or leave the film out",
                )
            path, late = source.film, header.sound_late
        sound, _ = io.load(path, rate)
        begin = round(late * rate)
        sound = np.concatenate([np.zeros(max(0, begin), np.float32), sound[max(0, -begin) :]])
        wanted = len(film.frames) * self.definition.samples_a_frame
        over = (len(sound) - wanted) / rate
        if film.damage and over > 0:
            over = 0.0  # the film was longer
        if abs(over) > self.options.tolerance:
            raise DataError(
                f"{path}: sound of {len(sound) / rate:.3f} s, its film lasts {wanted / rate:.3f} s: "
                f"{abs(over):.3f} s too {'long' if over > 0 else 'short'}",
                "cut them alike, or raise --tolerance where the rest is silence; --frame-rate if the film's header is "
                "wrong",
            )
        if len(sound) < wanted:
            sound = np.pad(sound, (0, wanted - len(sound)))
        return np.ascontiguousarray(sound[:wanted], np.float32)

    def _check_lag(self, source: Source, found: Lag) -> None:
        most = self.options.most_lag
        if most and found.clear and abs(found.seconds) > most:
            when = "later" if found.seconds > 0 else "earlier"
            raise DataError(
                f"{source.film}: the sound comes {abs(found.seconds) * 1000:.0f} ms {when} than the picture",
                "align them, or raise --most-lag",
            )

    def _mask(self, source: Source, frames: int) -> NDArray[np.uint8] | None:
        if source.mask is None:
            return None
        side = self.definition.size
        film = video.read(source.mask, size=(side, side), crop=crop_of(self.definition))
        if len(film.frames) != frames:
            raise DataError(
                f"{source.mask}: {len(film.frames)} frames, its film has {frames}", "make a mask for every frame"
            )
        return (film.frames >= _DARK).astype(np.uint8)
