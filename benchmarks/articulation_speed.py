"""Films decoded and normalized, frames a second; and inference with each frame encoded once against every window anew.

    python benchmarks/articulation_speed.py --json benchmarks/results/articulation_speed.json

Torch has one thread, FFmpeg as many as it takes. A film is made here: 256 × 256, H.264, with a little noise; those of
tract_sim are read too, where they are. The network is that of the recipe `paper` with random weights.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch

import record
from onsei.config import from_recipe
from onsei.systems import articulation
from onsei.systems.articulation.config import Train
from onsei.systems.articulation.model import MelGenerator
from onsei.vision import film, video

BARS = {"decode_normalize_fps": 1000.0, "tract_sim_fps": 1000.0, "inference_ratio": 3.0}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=1000)
    parser.add_argument("--film-frames", type=int, default=100, help="of the film that the network reads")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--data", type=Path, default=record.ROOT.parent / "shared" / "data" / "tract_sim")
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    results: dict[str, Any] = {
        **reading(chosen.frames, chosen.repeats),
        **simulated(chosen.data, chosen.repeats),
        **inference(chosen.film_frames, chosen.repeats),
    }
    held = {name: results[name] >= bar for name, bar in BARS.items() if name in results}
    print(json.dumps({**results, "held": held}, indent=1))
    record.write(chosen.json, {**results, "held": held})
    return 0 if all(held.values()) else 1


def reading(count: int, repeats: int) -> dict[str, Any]:
    """Decoding and normalizing a film of a moving head-like shape."""
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[:256, :256]
    ground = (60 + 30 * np.sin(rows / 17) * np.cos(columns / 23) + random.normal(0, 6, (256, 256))).clip(0, 255)

    def pictures() -> Any:
        for number in range(count):
            moved = ground.copy()
            middle = 128 + 40 * np.sin(number / 9)
            moved[(rows - middle) ** 2 + (columns - 120) ** 2 < 900] = 210
            yield (moved + random.normal(0, 1.5, moved.shape)).clip(0, 255).astype(np.uint8)

    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "film.mp4"
        film.write(path, pictures(), Fraction(11413, 420))
        found = []
        for _ in range(repeats):
            began, spent = time.perf_counter(), time.process_time()
            video.normalized(video.read(path).frames)
            found.append((count / (time.perf_counter() - began), count / (time.process_time() - spent)))
    return {
        "decode_normalize_fps": round(max(wall for wall, _ in found), 1),
        "decode_normalize_fps_cpu": round(max(cpu for _, cpu in found), 1),
        "frames": count,
    }


def simulated(folder: Path, repeats: int) -> dict[str, Any]:
    """The films of tract_sim, where they are here."""
    films = sorted(folder.glob("*.mp4"))
    found = []
    for _ in range(repeats if films else 0):
        began, count = time.perf_counter(), 0
        for path in films:
            count += len(video.normalized(video.read(path).frames))
        found.append(count / (time.perf_counter() - began))
    return {"tract_sim_fps": round(max(found), 1)} if found else {}


def inference(count: int, repeats: int) -> dict[str, Any]:
    """CPU seconds of one film both ways, alternating; the mels are the same."""
    recipe = from_recipe(Train, Path(articulation.__file__).parent / "recipes" / "paper.yaml")
    torch.manual_seed(0)
    model = MelGenerator(recipe.model, 64).eval()
    frames = torch.rand(count, 1, 256, 256)
    window = recipe.model.window
    once, anew = [], []
    for _ in range(max(1, repeats // 2)):
        began = time.process_time()
        mel = model.spoken(frames)
        once.append(time.process_time() - began)
        began = time.process_time()
        other = every_window_anew(model, frames, window)
        anew.append(time.process_time() - began)
    return {
        "inference_ratio": round(min(anew) / min(once), 2),
        "inference_fps": round(count / min(once), 1),
        "largest_difference": float((mel - other).abs().max()),
        "film_frames": count,
    }


@torch.inference_mode()
def every_window_anew(model: MelGenerator, frames: torch.Tensor, window: int) -> torch.Tensor:
    """As the original does it: the frames of each window are encoded for that window."""
    lengths = torch.tensor([window])
    parts = [model(frames[None, start : start + window], lengths)[0] for start in range(len(frames) - window + 1)]
    return torch.cat([parts[0][:-1], *[part[-1:] for part in parts]])


if __name__ == "__main__":
    sys.exit(main())
