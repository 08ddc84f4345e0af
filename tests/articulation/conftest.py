"""One corpus of films that sing, and one trained model for all tests of articulation."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from onsei.systems.articulation.data.example import example
from onsei.systems.articulation.training import train
from tests.vision.films import write

RATE, HOP = 8000, 320
FLAGS = ["--sr", str(RATE), "--hop-length", str(HOP), "--n-fft", "512", "--win-length", "512", "--n-mels", "20"]
SMALL = [*FLAGS, "--size", "16", "--pairs", "none", "--dtype", "uint8"]


@dataclass
class Singer:
    """Frames (T, H, W) of a bar that moves, and the sound (S,) that moves with it."""

    frames: np.ndarray
    sound: np.ndarray


def singer(frames=50, size=24, seed=0, rate=RATE, fps=Fraction(RATE, HOP), late=0.0):
    """A bar that moves, now fast, now slowly; the pitch follows it ``late`` seconds later, over a little noise."""
    random = np.random.default_rng(seed)
    knots = np.cumsum([0, *random.integers(3, 8, frames)])
    heights = random.uniform(0.1, 0.9, len(knots))
    heights[1::3] = heights[0::3][: len(heights[1::3])]  # a third of the time it stands still
    levels = np.interp(np.arange(frames), knots, heights)
    distance = np.abs(np.arange(size)[None] - levels[:, None] * size)
    pictures = (60 + 160 * np.clip(3 - distance, 0, 1))[..., None].repeat(size, 2).astype(np.uint8)
    samples = round(frames * rate / float(fps))
    moments = ((np.arange(samples) + 0.5) / rate - late) * float(fps) - 0.5
    pitch = 300 + 2000 * np.interp(moments, knots, heights)
    sound = 0.3 * np.sin(2 * np.pi * np.cumsum(pitch) / rate) + 0.01 * random.standard_normal(samples)
    return Singer(pictures, sound.astype(np.float32))


def put(
    folder: Path, name: str, one: Singer, *, fps=Fraction(RATE, HOP), rate=RATE, codec="ffv1", suffix=".mkv", **more
):
    """Write a film with its sound."""
    folder.mkdir(parents=True, exist_ok=True)
    return write(folder / f"{name}{suffix}", one.frames, fps, codec=codec, sound=one.sound, sound_rate=rate, **more)


@pytest.fixture(scope="session")
def films(tmp_path_factory):
    """A folder of six films of two speakers, sound inside."""
    folder = tmp_path_factory.mktemp("films")
    for number in range(6):
        put(folder / f"s{number % 2}", f"c{number}", singer(40 + number, seed=number))
    return folder


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """The example of the system."""
    return example(tmp_path_factory.mktemp("example"))


@pytest.fixture(scope="session")
def model(made):
    """The folder of the trained example."""
    train(made.train)
    return made.train.output_dir
