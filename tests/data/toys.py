"""Sounds, manifests and a prepare function small enough for tests; workers import them from here."""

import json
import os
from dataclasses import dataclass

import numpy as np
import torch

from onsei.data.loader import Fault, Loader
from onsei.data.manifest import Manifest
from onsei.data.sampler import BucketSampler
from onsei.errors import DataError, RunError


def write_wav(path, seconds=1.0, rate=8000, channels=1):
    """A quiet tone in 16-bit PCM, by hand."""
    import wave

    path.parent.mkdir(parents=True, exist_ok=True)
    tone = np.sin(np.arange(round(seconds * rate)) * 0.3) * 8000
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.repeat(tone.astype("<i2"), channels).tobytes())
    return path


def write_lines(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


@dataclass(frozen=True)
class ToyBatch:
    ids: tuple
    values: torch.Tensor
    faults: tuple
    process: int
    threads: int

    @property
    def size(self):
        return len(self.ids)


@dataclass(frozen=True)
class Prepare:
    """Draws numbers; fails as the row's text tells it to."""

    length: int = 8

    def __call__(self, row, draw):
        if row.text == "broken":
            raise DataError(f"{row.audio}: broken", "leave it out")
        if row.text == "unreadable":
            (row.audio.parent / "nowhere" / "a.wav").read_bytes()
        if row.text == "full":
            raise OSError(28, "No space left on device")
        if row.text == "stop":
            raise RunError("the run cannot go on", "do this")
        if row.text == "bug":
            raise KeyError("a bug")
        noise = torch.from_numpy(draw.generator("noise").standard_normal(self.length))
        # A long sum, whose last bits depend on how many threads make it.
        return row.id, noise + torch.linspace(0, 1, 200_001, dtype=torch.float64).float().sin().sum()


def collate(items, faults):
    assert all(isinstance(fault, Fault) for fault in faults)
    values = torch.stack([value for _, value in items]) if items else torch.zeros(0)
    return ToyBatch(tuple(i for i, _ in items), values, tuple(faults), os.getpid(), torch.get_num_threads())


def make_loader(folder, texts=("ok",) * 60, prepare=None, seed=3, **options):
    rows = [{"id": f"発話{n}", "audio": f"{n}.wav", "duration": 1 + n % 7, "text": t} for n, t in enumerate(texts)]
    path = folder / "音声 データ" / "m.jsonl"
    if not path.exists():  # a manifest in use must not change
        write_lines(path, rows)
    manifest = Manifest.open(path)
    sampler = BucketSampler(manifest.durations, batch_seconds=25, batch_size=6, seed=1)
    return Loader(manifest, sampler, prepare or Prepare(), collate, seed=seed, **options)
