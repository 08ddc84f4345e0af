"""Frames and sound → a film (mp4): any rate exactly, sound in step with the frames to the sample.

H, W pixels, C colors, T samples.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from math import lcm
from pathlib import Path
from typing import Any, Literal

import av
import numpy as np
from av.container import OutputContainer
from numpy.typing import NDArray

from onsei.audio.resample import resample
from onsei.audio.samples import Samples, as_samples
from onsei.errors import AudioError, DataError
from onsei.paths import written_aside

Pixels = NDArray[np.uint8]
"""A frame: (H, W), or (H, W, 3) as red, green, blue."""
Coding = Literal["aac", "flac"]
AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
"""Rates in Hz that AAC can hold; sound of another rate is brought to 48 kHz first."""
_CLOCK = 2**31 - 1
_BLOCK = 1024


@dataclass(frozen=True)
class Sound:
    """What is heard with a film, from the beginning of its first frame on."""

    samples: Samples
    """(T,), full scale ±1. Where it ends before the film does, silence follows; what is beyond the film is left out."""
    rate: int
    """Samples a second."""
    coding: Coding = "aac"
    """aac plays everywhere; flac is lossless and keeps the rate."""


def write(
    path: str | Path,
    frames: Iterable[Pixels],
    rate: Fraction | int,
    sound: Sound | None = None,
    *,
    quality: int = 17,
) -> int:
    """Write a film; returns the number of frames.

    H.264 in the full range of gray levels, without frames out of order; the film lasts frames / rate seconds exactly,
    and its sound round(frames / rate · sound rate) samples. The file is whole or not there at all.

    Args:
        path: the file, ``.mp4``, ``.m4v`` or ``.mov``.
        frames: all of one shape; they are read one at a time.
        rate: frames a second, exact: ``Fraction(11413, 420)``.
        sound: what is heard.
        quality: x264's constant rate factor: 0 is lossless (few browsers play that), 17 looks so, 23 is small.

    Raises:
        DataError: no frame, frames of unlike shapes, not 8 bits; or a rate or an ending that a film cannot have.
        AudioError: samples that are not finite.
    """
    path, rate = Path(path), Fraction(rate)
    if path.suffix.lower() not in (".mp4", ".m4v", ".mov"):
        raise DataError(f"{path}: expected the ending .mp4, .m4v or .mov, found {path.suffix!r}", "rename it")
    if not 0 < rate <= 1000 or max(rate.numerator, rate.denominator) > _CLOCK:
        raise DataError(f"{path}: a film of {rate} frames a second cannot be written", "give a rate of 1000 at most")
    source = iter(frames)
    first = next(source, None)
    if first is None:
        raise DataError(f"{path}: no frames to write", "give at least one")
    shape = _checked(path, first, 0, first.shape)
    if sound is not None:
        sound = _codable(sound)
    with written_aside(path) as aside:
        kind = "mov" if path.suffix.lower() == ".mov" else "mp4"
        options = {"movie_timescale": str(_clock(rate, sound)), "movflags": "faststart"}
        with av.open(str(aside), "w", format=kind, options=options) as container:
            return _encode(path, container, chain([first], source), rate, sound, shape, quality)


def _encode(
    path: Path,
    container: OutputContainer,
    frames: Iterable[Pixels],
    rate: Fraction,
    sound: Sound | None,
    shape: tuple[int, ...],
    quality: int,
) -> int:
    picture = _Picture(container, rate, shape, quality)
    track = None if sound is None else _Track(container, sound)
    number = 0
    for frame in frames:
        _checked(path, frame, number, shape)
        picture.add(frame, number)
        number += 1
        if track is not None:
            track.advance(Fraction(number) / rate)
    picture.close()
    if track is not None:
        track.close()
    return number


def _checked(path: Path, frame: Any, number: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    found = (getattr(frame, "shape", None), str(getattr(frame, "dtype", type(frame).__name__)))
    if found != (shape, "uint8") or not (len(shape) == 2 or (len(shape) == 3 and shape[2] == 3)) or 0 in shape:
        wanted = "(height, width) or (height, width, 3)" if number == 0 else str(shape)
        raise DataError(
            f"{path}: frame {number}: expected 8-bit pixels of shape {wanted}, found {found[1]} of shape {found[0]}",
            "bring all frames to one size and to 0..255",
        )
    return shape


def _codable(sound: Sound) -> Sound:
    samples = as_samples(sound.samples, "the film's sound")
    if samples.ndim != 1:
        raise AudioError(f"the film's sound: expected one channel, found shape {samples.shape}", "mix it down")
    if sound.coding == "flac" or sound.rate in AAC_RATES:
        return Sound(samples, sound.rate, sound.coding)
    return Sound(resample(samples, sound.rate, 48000), 48000, sound.coding)


def _clock(rate: Fraction, sound: Sound | None) -> int:
    """Ticks a second of the film's own clock, on which the ends of its tracks are told: none of them is rounded."""
    wanted = lcm(rate.numerator, sound.rate) if sound is not None else rate.numerator
    if wanted > _CLOCK:
        return sound.rate if sound is not None else 1000
    return wanted * max(1, 10000 // wanted)


class _Picture:
    """The film's H.264 track."""

    def __init__(self, container: OutputContainer, rate: Fraction, shape: tuple[int, ...], quality: int) -> None:
        height, width = shape[:2]
        odd = height % 2 or width % 2
        self._clock = Fraction(1, rate.numerator)
        self._step = rate.denominator
        self._container = container
        self._stream: Any = container.add_stream("libx264", rate=rate)
        self._stream.width, self._stream.height = width, height
        # Half the colors, as players expect it; where the size is odd they cannot be halved.
        self._stream.pix_fmt = "yuv444p" if odd else "yuv420p"
        self._stream.time_base = self._stream.codec_context.time_base = self._clock
        self._stream.codec_context.color_range = 2  # full: 256 gray levels stay 256
        self._stream.options = {"crf": str(quality), "preset": "fast", "bf": "0", "threads": "1"}
        self._format = self._stream.pix_fmt

    def add(self, pixels: Pixels, number: int) -> None:
        frame = _planar(pixels, self._format)
        frame.pts, frame.time_base = number * self._step, self._clock
        frame.color_range = 2
        self._container.mux(self._timed(self._stream.encode(frame)))

    def close(self) -> None:
        self._container.mux(self._timed(self._stream.encode(None)))

    def _timed(self, packets: list[Any]) -> list[Any]:
        for packet in packets:
            packet.duration = self._step
        return packets


def _planar(pixels: Pixels, layout: str) -> av.VideoFrame:
    """Gray levels as they are, beside gray colors; colors by the converter."""
    if pixels.ndim == 3:
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
        return frame.reformat(format=layout, dst_color_range="JPEG", dst_colorspace="ITU601")
    height, width = pixels.shape
    if layout == "yuv420p":
        whole = np.full((height * 3 // 2, width), 128, np.uint8)
        whole[:height] = pixels
    else:
        whole = np.full((3, height, width), 128, np.uint8)
        whole[0] = pixels
    return av.VideoFrame.from_ndarray(whole, format=layout)


class _Track:
    """The film's sound, coded as far as the frames have come."""

    def __init__(self, container: OutputContainer, sound: Sound) -> None:
        self._container, self._sound, self._done, self._end = container, sound, 0, 0
        self._stream: Any = container.add_stream(sound.coding, rate=sound.rate)
        self._stream.layout = "mono"
        self._stream.format = "fltp" if sound.coding == "aac" else "s16"
        self._stream.time_base = Fraction(1, sound.rate)
        if sound.coding == "aac":
            self._stream.bit_rate = 192000

    def advance(self, seconds: Fraction) -> None:
        """Code everything that is heard before ``seconds``, as far as it fills blocks."""
        self._end = round(seconds * self._sound.rate)
        while self._end - self._done >= _BLOCK:
            self._code(_BLOCK)

    def close(self) -> None:
        if self._end > self._done:
            self._code(self._end - self._done)
        self._container.mux(self._stream.encode(None))

    def _code(self, size: int) -> None:
        block = self._sound.samples[self._done : self._done + size]
        block = np.pad(block, (0, size - len(block)))
        if self._sound.coding == "aac":
            frame = av.AudioFrame.from_ndarray(block[None], format="fltp", layout="mono")
        else:
            whole = np.clip(np.round(block * 32768), -32768, 32767).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(whole[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = self._sound.rate, self._done, Fraction(1, self._sound.rate)
        self._done += size
        self._container.mux(self._stream.encode(frame))
