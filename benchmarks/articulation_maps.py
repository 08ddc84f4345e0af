"""Heat maps of articulation: are they true, do they lie on the contours, and is the overlay's sound in step?

    python benchmarks/articulation_maps.py --json benchmarks/results/articulation_maps.json

Makes films by the simulated vocal tract, trains the demo's network on some of them, and explains the others, which
share speakers and no utterance with training. `map` is HiResCAM on the last map of 32 × 32 or finer, the default of
`onsei articulation explain`; `gradcam` is Grad-CAM of the very last map; edges are Sobel's; random maps are as coarse
as the default's layer, the mean of three. Method and layer were chosen on films of another seed. Deletion and insertion
count frames in which the band is heard; areas under curves over the share of the picture, in dB. The untrained network
is the same one before its first step: of its maps the pointing game is played too. The lag is that of the sound in a
film by `onsei articulation overlay-video` against the sound that was given, by cross-correlation at its rate.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

import record
from onsei.audio import io
from onsei.config import Span
from onsei.demo import control
from onsei.demo.articulation import options
from onsei.demo.films import Films, make_films
from onsei.systems.articulation.data.batches import shrunk
from onsei.systems.articulation.explain import explained, levels
from onsei.systems.articulation.explain.faithfulness import edge_maps, faithfulness, random_maps, sounding
from onsei.systems.articulation.explain.maps import Question, chosen_layer, heat_maps, layers, mel_bins
from onsei.systems.articulation.explain.pointing import pointing_game, read_contours
from onsei.systems.articulation.inference import Articulator
from onsei.systems.articulation.training import train

BANDS = (Span("F1", 300, 900), Span("F2", 900, 2500))
TOLERANCE = 12.0
MEASURES = ("drop", "change", "rise", "gap")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", type=Path, help="folder to keep films and model in")
    parser.add_argument("--clips", type=int, default=6, help="films that are explained")
    parser.add_argument("--train", type=int, default=15, help="films that are learned from")
    parser.add_argument("--epochs", type=int, default=0, help="of training; 0: those of the demo")
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = chosen.keep or Path(name)
        films = make_films(folder / "films", chosen.seed, train=chosen.train, val=3, test=chosen.clips)
        began = time.perf_counter()
        runner = trained(films, folder / "model", chosen.seed, chosen.epochs)
        minutes = (time.perf_counter() - began) / 60
        clips = [measured(runner, untrained(runner, chosen.seed), path) for path in films.shown]
        lag, apart = overlay(folder, films.shown[0], folder / "model")
    results = {**means(clips), "overlay_lag_samples": lag, "overlay_seconds_off": apart}
    held = {
        "beats_edges_on_deletion": beats(results, "edges"),
        "beats_random_on_deletion": beats(results, "random"),
        "points_at_contours_on_all_clips": all(
            clip[f"{band.name}_pointing_map"] > clip[f"{band.name}_pointing_chance"] for clip in clips for band in BANDS
        ),
        "overlay_lag_one_sample": abs(lag) <= 1 and apart == 0,
    }
    print(json.dumps({**results, "held": held}, indent=1))
    extra = {"clips": clips, "films": len(clips), "training_films": chosen.train, "train_minutes": round(minutes, 2)}
    record.write(chosen.json, {**results, **extra, "held": held})
    return 0 if all(held.values()) else 1


def beats(results: dict[str, Any], rival: str) -> bool:
    names = [f"{band.name}_{measure}" for band in BANDS for measure in MEASURES[:2]]
    return all(results[f"{name}_map"] > results[f"{name}_{rival}"] for name in names)


def trained(films: Films, model: Path, seed: int, epochs: int) -> Articulator:
    if not (model / "onsei.json").exists():
        plan = options(films, model, seed)
        clock = replace(plan.training, epochs=epochs or plan.training.epochs, silent=True)
        train(replace(plan, training=clock))
    return Articulator.load(model, "cpu")


def untrained(runner: Articulator, seed: int) -> Articulator:
    fresh = control.untrained(runner.model, seed)
    return Articulator(fresh, runner.prepared, runner.scaler, runner.device, runner.dtype)


def measured(runner: Articulator, chance: Articulator, path: Path) -> dict[str, Any]:
    seen = runner.frames(path)
    contours = read_contours(path.with_suffix(".npz"), len(seen))
    found: dict[str, Any] = {"clip": path.stem}
    for band in BANDS:
        question = Question(mel_bins(band, runner.mel))
        memo = Question(question.bins, "gradcam", layer="trunk")
        heard = sounding(levels(runner, seen, question))
        grid = layers(runner.model)[chosen_layer(runner.model, "")][1:]
        large = {
            "map": explained(runner, seen, question, band, 256).maps,
            "gradcam": heat_maps(runner.model, seen, memo, 256),
        }
        small = {name: shrunk(maps, seen.shape[1]) for name, maps in large.items()}
        small |= {"edges": edge_maps(seen), **{f"random{n}": random_maps(seen, grid, n) for n in range(3)}}

        def level(pictures: Any, asked: Question = question) -> Any:
            return levels(runner, pictures, asked)

        scores = {name: faithfulness(seen, maps, level) for name, maps in small.items()}
        for measure in MEASURES:
            values = {name: getattr(score, measure) for name, score in scores.items()}
            values["random"] = float(np.mean([values.pop(f"random{n}") for n in range(3)]))
            found |= {f"{band.name}_{measure}_{name}": round(value, 3) for name, value in values.items()}
        large["edges"] = np.repeat(np.repeat(edge_maps(seen), 256 // seen.shape[1], 1), 256 // seen.shape[2], 2)
        large["untrained"] = heat_maps(chance.model, seen, question, 256)
        games = {name: pointing_game(maps, contours, TOLERANCE, heard) for name, maps in large.items()}
        found |= {f"{band.name}_pointing_{name}": round(game.rate, 1) for name, game in games.items()}
        found[f"{band.name}_pointing_chance"] = round(games["map"].chance_rate, 1)
    print(json.dumps(found), flush=True)
    return found


def means(clips: list[dict[str, Any]]) -> dict[str, Any]:
    names = [name for name in clips[0] if name != "clip"]
    found: dict[str, Any] = {name: round(float(np.mean([clip[name] for clip in clips])), 3) for name in names}
    for band in BANDS:
        for rival in ("edges", "random"):
            won = [clip[f"{band.name}_change_map"] > clip[f"{band.name}_change_{rival}"] for clip in clips]
            found[f"{band.name}_clips_won_against_{rival}"] = int(sum(won))
    return found


def overlay(folder: Path, path: Path, model: Path) -> tuple[int, float]:
    """Samples by which an overlay's sound is late, and seconds by which it lasts too long."""
    onsei = [sys.executable, "-m", "onsei", "articulation"]
    words = ["--video", str(path), "--output-dir", str(folder / "maps"), "--formant-band", "F1:300-900", "--force"]
    subprocess.run([*onsei, "explain", str(model), *words], check=True)
    sound, rate = np.random.default_rng(0).normal(0, 0.1, 44100 * 4), 44100
    io.save(folder / "noise.wav", sound.astype(np.float32), rate)
    out = folder / "overlay.mp4"
    words = ["--video", str(path), "--heatmap", str(folder / "maps" / "gradcam_F1_sequence.npy"), "--force"]
    words += ["--audio", str(folder / "noise.wav"), "--output", str(out)]
    subprocess.run([*onsei, "overlay-video", *words], check=True)
    with av.open(str(out)) as container:
        stream = container.streams.video[0]
        lasts = stream.duration * stream.time_base
        count, pace = stream.frames, stream.average_rate
    with av.open(str(out)) as container:
        parts = [(frame.to_ndarray()[0], frame.pts * frame.time_base) for frame in container.decode(audio=0)]
    heard, begins = np.concatenate([part for part, _ in parts]), parts[0][1]
    given, _ = io.load(folder / "noise.wav")
    size = 1 << (len(heard) + len(given)).bit_length()
    product = np.fft.irfft(np.fft.rfft(heard, size) * np.fft.rfft(given, size).conj(), size)
    at = int(product.argmax())
    late = (at if at < size // 2 else at - size) + round(begins * rate)
    return late, float(lasts - Fraction(count) / Fraction(pace))


if __name__ == "__main__":
    sys.exit(main())
