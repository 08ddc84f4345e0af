"""Sounds and sound files that the tests of this folder make for themselves."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from onsei.audio.samples import Samples


def tone(seconds: float = 1.0, rate: int = 16000, hertz: float = 440.0, amplitude: float = 0.3) -> Samples:
    """A sine whose loudness rises, so that every place in it is different."""
    time = np.arange(round(seconds * rate)) / rate
    return (amplitude * np.sin(2 * np.pi * hertz * time) * (0.2 + 0.8 * time / seconds)).astype(np.float32)


def sweep(seconds: float = 1.0, rate: int = 16000, amplitude: float = 0.3) -> Samples:
    """A tone that rises from 200 to 3000 Hz, so that no moment is like another."""
    time = np.arange(round(seconds * rate)) / rate
    return (amplitude * np.sin(2 * np.pi * (200 * time + 1400 * time**2 / seconds))).astype(np.float32)


def hiss(seconds: float = 1.0, rate: int = 16000, seed: int = 0, amplitude: float = 0.1) -> Samples:
    return (amplitude * np.random.default_rng(seed).standard_normal(round(seconds * rate))).astype(np.float32)


def write_coded(
    path: Path,
    samples: Samples,
    rate: int,
    codec: str = "aac",
    container: str | None = None,
    options: dict[str, str] | None = None,
) -> None:
    """Write m4a, mp4, aac or webm, as a phone or browser would."""
    sample_format = "flt" if codec == "libopus" else "fltp"
    with av.open(str(path), "w", format=container, options=options or {}) as file:
        stream = file.add_stream(codec, rate=rate)
        stream.layout = "mono"
        frame = av.AudioFrame.from_ndarray(samples[None], format=sample_format, layout="mono")
        frame.sample_rate = rate
        frame.time_base = Fraction(1, rate)
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            file.mux(packet)


def write_silent_video(path: Path) -> None:
    """A video without a sound track."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 32
        stream.pix_fmt = "yuv420p"
        for _ in range(3):
            picture = av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")
            file.mux(stream.encode(picture))
        file.mux(stream.encode(None))


def lag(found: Samples, expected: Samples, reach: int = 2500) -> int:
    """By how many samples ``found`` comes later than ``expected``."""
    size = min(len(found), len(expected)) - 2 * reach
    middle = expected[reach : reach + size]
    scores = [float(np.dot(found[reach + k : reach + k + size], middle)) for k in range(-reach, reach + 1)]
    return int(np.argmax(scores)) - reach
