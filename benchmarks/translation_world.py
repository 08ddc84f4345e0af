"""The world of shapes, from bare recordings to sentences: retrieval, translation and the few-shot curve.

    python benchmarks/translation_world.py --json benchmarks/results/translation_world.json

For each seed `onsei translation run tiny` makes a world (language, scenes and voices of that seed), all models, and
measures them on scenes whose kinds (color and shape) and voices were in no training. Then translators are trained from
50, 100, 200 and 600 translated clips, with the grounded encoder (B) and without, and from captions of other pictures
alone. Without B the better of two runs counts: one of as many steps, and one that takes as long as B and C together.
With `--without-a` the first seed is also done with cepstra in place of the self-supervised units. What lies in `--work`
is not done again: a stopped benchmark goes on, `--seeds 1` does one seed of several.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import record

SIZES = (50, 100, 200, 600)
BARS = {
    "s2i_r1": 45.0, "s2i_r10": 90.0, "bleu_600": 88.0, "bleu_200": 78.0, "bleu_100": 50.0, "gain_100": 15.0,
    "bleu_0": 15.0,
}  # fmt: skip
CEILINGS = {"minutes": 8.0, "bleu_shuffled": 20.0}


def main() -> int:
    options = _options()
    found = {seed: one_seed(options.work / f"seed{seed}", seed, options.recipe) for seed in options.seeds}
    result: dict[str, Any] = {"seeds": {str(seed): values for seed, values in found.items()}}
    if options.without_a:
        result["without_a"] = without_a(options.work, options.seeds[0], options.recipe)
    worst = {name: min(one[name] for one in found.values()) for name in BARS}
    worst |= {name: max(one[name] for one in found.values()) for name in CEILINGS}
    held = {name: worst[name] >= bar for name, bar in BARS.items()}
    held |= {name: worst[name] <= bar for name, bar in CEILINGS.items()}
    for name, value in worst.items():
        print(f"{name}: worst {value:.2f}, bar {(BARS | CEILINGS)[name]} {'held' if held[name] else 'MISSED'}")
    record.write(options.json, {**result, "worst": worst, "bars": {**BARS, **CEILINGS}, "held": held})
    return 0 if all(held.values()) else 1


def one_seed(folder: Path, seed: int, recipe: str) -> dict[str, float]:
    """All numbers of a seed."""
    onsei("run", recipe, "--output-dir", folder, "--seed", seed)
    state = read(folder / "run.json")
    values: dict[str, float] = {"minutes": sum(one["seconds"] for one in state.values()) / 60}
    values |= {f"seconds_{name}": one["seconds"] for name, one in state.items()}
    for part in ("unseen", "seen"):
        prefix = "" if part == "unseen" else "seen_"
        for what in ("retrieval", "translation"):
            numbers = read(folder / "results" / f"{part}-{what}.json")
            values |= {f"{prefix}{name}": x for name, x in numbers.items() if isinstance(x, (int, float))}
    grounded, plain, seconds = curve(folder, seed, recipe)
    values |= {f"bleu_{size}": one["bleu"] for size, one in grounded.items()}
    values |= {f"bleu_{size}_without_b": one["bleu"] for size, one in plain.items()}
    longer = long_enough(folder, seed, recipe, state["ground"]["seconds"], seconds)
    values["bleu_100_without_b_equal_compute"] = longer["bleu"]
    values["gain_100"] = values["bleu_100"] - max(longer["bleu"], plain[100]["bleu"])
    values["bleu_0"] = pivot(folder, seed, recipe)["bleu"]
    return values


def curve(folder: Path, seed: int, recipe: str) -> tuple[dict[int, Any], dict[int, Any], float]:
    """Translations by number of translated clips, with the grounded encoder and without; seconds at 100 with it."""
    core = folder / "models" / "semantic_core_model"
    grounded, plain, seconds = {}, {}, 0.0
    for size in SIZES:
        name = f"few{size}"
        grounded[size] = trained(folder, f"{name}-b", seed, recipe, "--limit", size, "--semantic-model", core)
        plain[size] = trained(folder, name, seed, recipe, "--limit", size)
        seconds = grounded[size]["seconds"] if size == 100 else seconds
    return grounded, plain, seconds


def long_enough(folder: Path, seed: int, recipe: str, ground: float, train: float) -> dict[str, Any]:
    """Without B, for as long as B and C take together."""
    steps = read(folder / "models" / "few100" / "onsei.json")["history"]["steps"]
    more = round(steps * (ground + train) / max(train, 1e-9))
    words = ("--limit", 100, "--max-steps", more, "--epochs", 100_000)
    return trained(folder, "few100-long", seed, recipe, *words)


def pivot(folder: Path, seed: int, recipe: str) -> dict[str, Any]:
    """From captions of pictures that nobody spoke about."""
    core, captions = folder / "models" / "semantic_core_model", folder / "data" / "world" / "captions.jsonl"
    words = ("--semantic-model", core, "--pivot.captions", captions, "--max-steps", 1500, "--batch-size", 64)
    words = (*words, "--decoder.word-dropout", 0)  # there are captions enough to learn from
    return trained(folder, "few0", seed, recipe, *words, speech=False)


def trained(folder: Path, name: str, seed: int, recipe: str, *words: Any, speech: bool = True) -> dict[str, Any]:
    """Numbers of a translator on the unseen test, and the seconds that its training took."""
    model, out = folder / "models" / name, folder / "results" / f"{name}.json"
    encoded = folder / "data" / "multimodal_preprocessed"
    if not (model / "onsei.json").is_file():
        source = ("--train-manifest", encoded / "parallel" / "units.jsonl") if speech else ()
        count = ("--num-clusters", read(encoded / "parallel" / "encode.json")["num_clusters"]) if speech else ()
        onsei("train", recipe, *source, *count, "--output-dir", model, "--seed", seed, "--silent", *words)
    if not out.is_file():
        test = encoded / "unseen" / "units.jsonl"
        onsei("evaluate", model, "--test-manifest", test, "--json", out)
    return {**read(out), "seconds": read(model / "onsei.json")["history"]["seconds"]}


def without_a(work: Path, seed: int, recipe: str) -> dict[str, float]:
    """The same with cepstra clustered by k-means in place of a pretrained encoder's features."""
    source, folder = work / f"seed{seed}" / "data" / "world", work / f"seed{seed}-mfcc"
    units = folder / "models" / "acoustic_unit_model"
    if not (units / "onsei.json").is_file():
        words = ("--data-dir", source / "unlabeled.jsonl", "--features.kind", "mfcc", "--output-dir", units)
        onsei("fit-units", recipe, *words, "--seed", seed, "--silent")
    encoded = folder / "data" / "multimodal_preprocessed"
    for name in ("pairs", "parallel", "val", "unseen"):
        onsei("encode", units, "--manifest", source / f"{name}.jsonl", "--output-dir", encoded / name)
    core = folder / "models" / "semantic_core_model"
    if not (core / "onsei.json").is_file():
        words = ("--train-manifest", encoded / "pairs" / "units.jsonl", "--output-dir", core, "--seed", seed)
        onsei("ground", recipe, *words, "--val-manifest", encoded / "val" / "units.jsonl", "--silent")
    out = folder / "results" / "retrieval.json"
    onsei("evaluate", core, "--test-manifest", encoded / "unseen" / "units.jsonl", "--json", out)
    grounded, plain, _ = curve(folder, seed, recipe)
    values = {name: read(out)[name] for name in ("s2i_r1", "s2i_r10", "i2s_r1", "i2s_r10")}
    values |= {f"bleu_{size}": one["bleu"] for size, one in grounded.items()}
    return values | {f"bleu_{size}_without_b": one["bleu"] for size, one in plain.items()}


def onsei(*words: Any) -> None:
    began = time.perf_counter()
    command = [sys.executable, "-m", "onsei", "translation", *map(str, words)]
    subprocess.run(command, check=True)
    print(f"   {words[0]}: {time.perf_counter() - began:.0f} s", flush=True)


def read(path: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return values


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("runs/translation-world"))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--recipe", default="tiny")
    parser.add_argument("--without-a", action="store_true")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
