"""Films as a model was taught to see them: cropped, sized and normalized as its clips were.

T frames, H height, W width.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from onsei.errors import DataError
from onsei.systems.articulation.data.prepared import Prepared, load_frames
from onsei.vision import video
from onsei.vision.video import Crop, Film

STORED = ".npy"


def open_frames(
    path: Path, prepared: Prepared, frame_rate: float | None = None, *, retime: bool = False
) -> NDArray[np.float32]:
    """Pictures of a film, or those that `prepare` stored, in 0..1: float32 (T, H, W).

    Args:
        path: a film, or `mri.npy`.
        prepared: what the model was taught with.
        frame_rate: frames a second, where the film's header is wrong.
        retime: bring a film of another or an uneven rate to that of the model.

    Raises:
        AudioError: no film.
        DataError: stored pictures that cannot be read, or a film of another rate.
    """
    if path.suffix.lower() == STORED:
        return load_frames(path)
    rate = None if frame_rate is None else Fraction(frame_rate).limit_denominator(100_000)
    film = video.read(path, size=(prepared.size, prepared.size), crop=crop_of(prepared), rate=rate)
    return pictures(in_step(film, prepared.rate, retime=retime))


def pictures(film: Film) -> NDArray[np.float32]:
    """Normalized pictures in steps of 1/255, as clips are stored."""
    return video.stretched(film.frames).astype(np.float32) / np.float32(255)


def in_step(film: Film, rate: Fraction, *, retime: bool = False) -> Film:
    """``film`` if it is of ``rate`` to within half a frame over its length; else, with ``retime``, brought to it.

    Raises:
        DataError: another rate, or an uneven one, without ``retime``.
    """
    drift = len(film.frames) * abs(1 - float(film.rate / rate))
    if film.even and drift <= 0.5:
        return film
    if retime:
        return video.retimed(film, rate)
    if not film.even:
        steps = np.diff(film.times) * 1000
        raise DataError(
            f"{film.path}: frames come unevenly, {steps.min():.1f} to {steps.max():.1f} ms apart",
            "add --retime to take the frame nearest to each moment, or --frame-rate if only its time stamps are wrong",
        )
    raise DataError(
        f"{film.path}: expected {float(rate):.6g} frames/s, found {float(film.rate):.6g}: picture and mel would drift "
        f"apart by {drift:.1f} frames",
        "add --retime to bring it to that rate; --frame-rate if its header is wrong",
    )


def crop_of(prepared: Prepared) -> Crop | None:
    """The part of the picture that was taken."""
    return None if prepared.crop is None else Crop(*prepared.crop)


Damaged = Literal["refuse", "keep"]
