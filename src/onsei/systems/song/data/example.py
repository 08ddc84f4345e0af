"""A tiny corpus of the little singer: it shows in seconds whether a network learns to sing what it reads."""

from __future__ import annotations

import contextlib
import io as texts
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from onsei.audio import io
from onsei.data import manifest
from onsei.data.row import Row
from onsei.system import Example
from onsei.systems.song.config import Codec, FitSketch, Network, Request, Sketch, Train
from onsei.systems.song.config.answer import Sampling
from onsei.systems.song.config.train import Data, Objective, Optimizer
from onsei.systems.song.data.singer import Note, Performance, Voice, sing
from onsei.systems.song.sketch.extract import sketch
from onsei.systems.song.sketch.fit import fit_sketch
from onsei.systems.song.sourcefilter import FRAME, RATE
from onsei.training.options import Training

MORAE = ("ア", "イ", "ウ", "エ", "オ", "シ", "ス", "ナ")
NOTES, FRAMES = 3, 4
CODES = 24
CODEC = Codec(kind="analytic", sample_rate=RATE, audio_channels=1, channels=4, c_mults=(1, 2, 4), strides=(4, 10, 16))
NETWORK = Network(
    block_size=FRAMES, latent_dim=32, dim=64, num_heads=2, lm_layers=2, diff_layers=1, num_pitch=CODES,
    timestep_features_dim=8, rotary_base_val=500, prompt_len=4, lyrics_len=8, max_sentence=3, init_std=0.08,
)  # fmt: skip
_VOICE = Voice("example", tilt=-2.0, vibrato=0.0)
"""Dull and steady: phases run on through a song, so that what rounding changes is heard in high harmonics first."""


def example(folder: Path) -> Example:
    """Write the corpus into ``folder``; training on it takes seconds on one core. In the control's manifests lyrics are
    those of other songs.
    """
    random = np.random.default_rng(0)
    songs = {name: [_song(random) for _ in range(count)] for name, count in (("train", 160), ("val", 32))}
    for name, part in songs.items():
        manifest.write(folder / "songs" / f"{name}.jsonl", _rows(folder / "songs" / name, part))
    with contextlib.redirect_stdout(texts.StringIO()):
        _sketch(folder)
    for name in songs:
        rows = list(manifest.Manifest.open(folder / f"{name}.jsonl"))
        wrong = [
            replace(row, extra={**row.extra, "symbols": rows[(n + 1) % len(rows)].extra["symbols"]})
            for n, row in enumerate(rows)
        ]
        manifest.write(folder / f"{name}-wrong.jsonl", wrong)
    options = Train(
        train_manifest=folder / "train.jsonl",
        val_manifest=folder / "val.jsonl",
        output_dir=folder / "run",
        network=NETWORK,
        codec=CODEC,
        objective=Objective(h_dropout=0.05, cfg_dropout=0.05),
        data=Data(batch_size=16, latent_cache=folder / "latents"),
        optimization=Optimizer(learning_rate=3e-3),
        training=Training(
            epochs=12, schedule="cosine", warmup_steps=10, max_norm=1.0, monitor="val/sketch", silent=True, seed=1,
            device="cpu", threads=1, validate_steps=40,
        ),
    )  # fmt: skip
    control = replace(
        options,
        train_manifest=folder / "train-wrong.jsonl",
        val_manifest=folder / "val-wrong.jsonl",
        output_dir=folder / "control",
    )
    sampling = Sampling(steps=4)
    words = [" ".join(songs["val"][n].timed.symbols()) for n in range(3)]
    seconds = FRAMES * (NOTES - 1) / 25
    return Example(
        train=options,
        control=control,
        learned=0.11,
        requests=tuple(Request(one, phones=True, max_duration=seconds, sampling=sampling) for one in words),
        words=(
            "generate", "{model}", words[0], "--phones", "--max-duration", str(seconds), "--output-format", "json",
            "--steps", "4",
        ),
    )  # fmt: skip


def _song(random: np.random.Generator) -> Performance:
    notes = [Note(MORAE[int(mora)], 0, FRAMES) for mora in random.integers(len(MORAE), size=NOTES)]
    return sing(notes, _VOICE)


def _rows(folder: Path, songs: Sequence[Performance]) -> list[Row]:
    rows = []
    for number, song in enumerate(songs):
        path = folder / f"{number:03d}.wav"
        io.save(path, song.sound(), RATE)
        symbols = " ".join(song.timed.symbols())
        prompt = f"{folder.name}/{(number + 1) % len(songs):03d}.wav"
        extra: dict[str, Any] = {"recording": f"{folder.name}-{number}", "symbols": symbols, "prompt_wav": prompt}
        extra["sections"] = song.timed.dump()
        row = Row(f"{folder.name}-{number:03d}", path, song.frames / 25, str(song.timed.lyrics()), extra=extra)
        rows.append(row)
    return rows


def _sketch(folder: Path) -> None:
    """A codebook of the training songs, and tokens of all."""
    codebook, songs = folder / "codebook.safetensors", folder / "songs"
    fit_sketch(
        FitSketch(
            songs / "train.jsonl", codebook, embedding="mel", codes=CODES, code_size=16, steps=0,
            cache_dir=folder / "frames", device="cpu",
        )
    )  # fmt: skip
    manifests = (songs / "train.jsonl", songs / "val.jsonl")
    sketch(Sketch(codebook, manifests, folder, sample_rate=RATE, hop=FRAME, device="cpu"))
