"""Voices of articulation side by side: Griffin-Lim, a small trained vocoder, and pulses under the mel's envelope.

    python benchmarks/articulation_voices.py --json benchmarks/results/articulation_voices.json

On the demo's films: each voice speaks the mels that the demo's network reads off the films of the test, and the true
mels of these films. The vocoder is a fast head that learns from the sounds of the other films, as long as the chapter
may last on a second core; `head_refined` is drawn to the mel by Griffin-Lim afterwards. What is there in --keep of an
earlier run is not made again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

import record
from onsei.audio import io
from onsei.config import to_dict
from onsei.data.manifest import Manifest
from onsei.demo import control
from onsei.demo.articulation import options, speak
from onsei.demo.films import MEL, make_films
from onsei.systems.articulation.evaluation.sound import SoundScores
from onsei.systems.articulation.inference import Articulator
from onsei.systems.articulation.training import train
from onsei.systems.articulation.voices import open_voices
from onsei.systems.vocoder.evaluation import mel_l1
from onsei.systems.vocoder.inference import Vocoder

Speak = Callable[[Any, int], Any]
KEPT = ("mcd", "f1_error", "f2_error", "f3_error", "f0_rmse", "voicing_error", "stoi")
REFINE = 15


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", type=Path, help="folder to keep films and models in")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--steps", type=int, default=700, help="of the fast head")
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = chosen.keep or Path(name)
        films = make_films(folder / "films", chosen.seed)
        if not (folder / "articulation" / "onsei.json").exists():
            train(options(films, folder / "articulation", chosen.seed))
        head = trained(folder, chosen.steps)
        runner = Articulator.load(folder / "articulation", "cpu")
        spoken = speak(runner, untrained(runner, chosen.seed), films)
        voices: dict[str, Speak] = {
            voice.name.replace("-", "_"): voice.speak for voice in open_voices(("griffin-lim", "pulse"), MEL)
        }
        voices["head"] = Vocoder.load(head, "cpu").speak
        voices["head_refined"] = Vocoder.load(head, "cpu", refine=REFINE).speak
        rows = Manifest.open(films.test)
        sounds = [io.load(row.audio)[0] for row in rows if row.audio is not None]
        mels = {"predicted": [one.found for one in spoken], "true": [one.true for one in spoken]}
        found = {
            f"{kind}_{name}_{key}": value
            for kind, given in mels.items()
            for name, voice in voices.items()
            for key, value in measured(voice, given, sounds).items()
        }
    held = {
        f"{kind}_pulse_{key}_best": better(key, [found[f"{kind}_{name}_{key}"] for name in ("pulse", *voices)])
        for kind in mels
        for key in ("mcd", "voicing_error", "stoi")
    }
    print(json.dumps({**found, "held": held}, indent=1))
    record.write(chosen.json, {**found, "films": len(sounds), "head_steps": chosen.steps, "held": held})
    return 0 if all(held.values()) else 1


def better(key: str, values: list[float]) -> bool:
    """Whether the first value is the best."""
    return values[0] == (max(values) if key == "stoi" else min(values))


def measured(voice: Speak, mels: list[Any], sounds: list[Any]) -> dict[str, float]:
    scores, apart = SoundScores(MEL.sample_rate), []
    began = time.process_time()
    made = [voice(np.ascontiguousarray(mel), len(sound)) for mel, sound in zip(mels, sounds, strict=True)]
    spent = time.process_time() - began
    for sound, one in zip(sounds, made, strict=True):
        scores.add(sound, one)
        apart.append(mel_l1(sound, one, MEL))
    numbers = {key: value for key, value in scores.numbers().items() if key in KEPT}
    seconds = sum(map(len, sounds)) / MEL.sample_rate
    numbers |= {"mel_l1": float(np.mean(apart)), "real_time_factor": spent / seconds}
    return {key: round(float(value), 4) for key, value in numbers.items()}


def untrained(runner: Articulator, seed: int) -> Articulator:
    fresh = control.untrained(runner.model, seed)
    return Articulator(fresh, runner.prepared, runner.scaler, runner.device, runner.dtype)


def trained(folder: Path, steps: int) -> Path:
    """A fast head that learned from the sounds of the training films."""
    run = folder / "head"
    if (run / "onsei.json").exists():
        return run
    recipe = {
        "extends": "tiny",
        "mel": to_dict(MEL),
        "losses": {"critics_from": 10**6, "spectral": 10},
        "data": {"batch_size": 8, "segment_size": 64 * MEL.hop, "segments": 8, "num_workers": 0},
        "optimization": {"learning_rate": 2e-3},
        "training": {
            "epochs": 10**5, "max_steps": steps, "warmup_steps": 50, "validate_steps": max(1, steps // 2),
            "estimate_memory": False,
        },
    }  # fmt: skip
    path = folder / "head.yaml"
    path.write_text(json.dumps(recipe), encoding="utf-8")
    lists = ["--train-manifest", str(folder / "films" / "train.jsonl")]
    lists += ["--val-manifest", str(folder / "films" / "val.jsonl")]
    onsei = [sys.executable, "-m", "onsei", "vocoder", "train"]
    subprocess.run([*onsei, str(path), *lists, "--output-dir", str(run)], check=True)
    return run


if __name__ == "__main__":
    sys.exit(main())
