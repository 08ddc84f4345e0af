"""Adapters for real singing: learned on one song, validated on another, with its own lyrics and with others'.

    python benchmarks/song_real.py --data ../shared/data/songs_ja/nit_song070 --json benchmarks/results/song_real.json

Two songs of half a minute, sung by one voice, with labels in time. A base is made first: the recipe `tiny` on the
little singer's songs, which has only ever heard that one voice. Both songs are cut into pieces of at most four seconds
and sketched with the base's codebook; the codec is that without weights, of the base. `train --use-lora` learns
adapters, with the tables of phones and tokens, on one song, then on the other from the same base. Cross entropies are
those of the sketch, on the song that was not learned from; `shuffled` is with the lyrics of another of its pieces. Of
the checkpoints that with the lowest cross entropy on that song counts. The bar, both ways: others' lyrics do worse.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import record
import song_training
from onsei.systems.song.data.singer import LENGTHS
from onsei.systems.song.sourcefilter import FRAME, RATE

SONGS = ("nitech_jp_song070_f001_004", "nitech_jp_song070_f001_007")
PIECES = ("--max-duration", "4", "--max-phones", "26", "--prompt-sec", "0.5", "--val-fraction", "0")
"""As much as the recipe `tiny` hears at once."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=record.ROOT.parent / "shared/data/songs_ja/nit_song070")
    parser.add_argument("--base", type=Path, help="folder with `run` and `codebook.safetensors` in place of a new base")
    parser.add_argument("--songs", type=int, default=600, help="of the little singer, for a new base")
    parser.add_argument("--steps", type=int, default=60, help="of the adapters")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="song") as name:
        folder = Path(name)
        base = chosen.base or folder / "base"
        if not chosen.base:
            base.mkdir()
            song_training.trained(base, 0, chosen.songs, LENGTHS, chosen.threads)
        sketched = [rows(chosen.data, song, base / "codebook.safetensors", folder) for song in SONGS]
        found = {
            f"learned_{SONGS[n][-3:]}": tuned(base / "run", sketched[n], sketched[1 - n], folder / f"run{n}", chosen)
            for n in (0, 1)
        }
    held = {name: one["gap"] > 0 for name, one in found.items()}
    results = {**found, "minutes": (time.perf_counter() - began) / 60, "threads": chosen.threads, "codec": "analytic"}
    print(json.dumps({**results, "held": held}, indent=1))
    record.write(chosen.json, {**results, "held": held})
    return 0 if all(held.values()) else 1


def rows(data: Path, song: str, codebook: Path, folder: Path) -> Path:
    """Manifest of the pieces of a song, with sketch tokens."""
    source = folder / song
    source.mkdir()
    for path in data.glob(f"{song}.*"):
        (source / path.name).symlink_to(path.resolve())
    onsei("prepare", "folder", source, "--output-dir", folder / f"{song}-rows", *PIECES)
    made = folder / f"{song}-sketched"
    sizes = ("--sample-rate", RATE, "--hop", FRAME)
    onsei("sketch", codebook, folder / f"{song}-rows" / "train.jsonl", "--output-dir", made, *sizes)
    return made / "train.jsonl"


def tuned(base: Path, learn: Path, judge: Path, run: Path, chosen: argparse.Namespace) -> dict[str, Any]:
    """Cross entropies of the adapters' first step and of their best."""
    words: list[Any] = ["--base", base, "--use-lora", "--train-manifest", learn, "--val-manifest", judge]
    words += ["--output-dir", run, "--latent-cache", run.parent / "latents", "--device", "cpu"]
    words += ["--max-steps", chosen.steps, "--validate-steps", 10, "--warmup-steps", 10, "--threads", chosen.threads]
    words += ["--batch-size", 9, "--mix", 0, "--lr", 1e-3, "--silent"]
    onsei("train", "tiny", *words)
    lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    course = [line for line in map(json.loads, lines) if "val/sketch" in line]
    best = min(course, key=lambda line: float(line["val/sketch"]))
    names = {"step": "step", "val/sketch": "val", "val/shuffled": "shuffled", "train/sketch": "train"}
    values = {told: best[name] for name, told in names.items() if name in best}
    return {**values, "gap": values["shuffled"] - values["val"], "first_val": course[0]["val/sketch"],
            "adapters": (run / "adapters").is_dir()}  # fmt: skip


def onsei(*words: Any) -> None:
    subprocess.run([sys.executable, "-m", "onsei", "song", *map(str, words)], check=True)


if __name__ == "__main__":
    sys.exit(main())
