"""The world of shapes, from bare recordings to sentences: retrieval, translation and the few-shot curve.

    python benchmarks/translation_world.py --json benchmarks/results/translation_world.json

For each seed `onsei translation run tiny` makes a world (language, scenes and voices of that seed), all models, and
measures them on scenes whose kinds (color and shape) and voices were in no training. Then translators are trained from
50, 100, 200 and 600 translated clips, with the grounded encoder (B) and without, and from captions of other pictures
alone. Without B the better of two runs counts: one of as many steps, and one that takes as long as B and C together.
What is timed (the pipeline, and 100 clips with B and without) has the machine alone; the other translators are trained
on one core each, side by side. With `--without-a` the first seed is also done with cepstra in place of the
self-supervised units. What lies in `--work` is not done again: a stopped benchmark goes on, `--seeds 1` does one seed
of several.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import record

STEPS = {50: 1000, 100: 1200, 200: 1000, 600: 400}
"""Steps by number of translated clips: few of them are gone through more often."""
CORE = Path("models") / "semantic_core_model"
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
    core, captions = folder / CORE, folder / "data" / "world" / "captions.jsonl"
    with_b, plain = (trained(folder, seed, recipe, one) for one in few(100, core))  # timed: alone
    words: tuple[Any, ...] = ("--semantic-model", core, "--pivot.captions", captions, "--batch-size", 64)
    words = (*words, "--max-steps", 1000)
    longer = long_enough(state["ground"]["seconds"], with_b, plain)
    more = (translator("few100-long", 100, longer), Translator("few0", words, speech=False))
    values |= curve(folder, seed, recipe, core, more)
    values["bleu_100_without_b_equal_compute"] = values.pop("few100-long")
    values["gain_100"] = values["bleu_100"] - max(values["bleu_100_without_b_equal_compute"], plain["bleu"])
    values["bleu_0"] = values.pop("few0")
    return values


@dataclass(frozen=True)
class Translator:
    """What is to be trained."""

    name: str
    words: tuple[Any, ...]
    speech: bool = True
    """Whether it learns from translated speech."""


def translator(name: str, clips: int, steps: int, *words: Any) -> Translator:
    """One of so many translated clips."""
    return Translator(name, ("--limit", clips, "--max-steps", steps, "--epochs", 100_000, *words))


def few(clips: int, core: Path) -> tuple[Translator, Translator]:
    """With the grounded encoder, and without."""
    name, steps = f"few{clips}", STEPS[clips]
    return translator(f"{name}-b", clips, steps, "--semantic-model", core), translator(name, clips, steps)


def long_enough(ground: float, with_b: dict[str, Any], plain: dict[str, Any]) -> int:
    """Steps without B that take as long as B and C together, by what such a step took here."""
    steps: float = (ground + with_b["seconds"]) / (plain["seconds"] / plain["steps"])
    return round(steps)


def curve(folder: Path, seed: int, recipe: str, core: Path, more: Sequence[Translator] = ()) -> dict[str, float]:
    """BLEU by number of translated clips, with the grounded encoder and without, and that of ``more``."""
    ones = {f"bleu_{clips}": few(clips, core) for clips in STEPS}
    ordered = {one.name: one for one in more}
    ordered |= {f"{name}{end}": two[n] for name, two in ones.items() for n, end in enumerate(("", "_without_b"))}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = pool.map(lambda one: trained(folder, seed, recipe, one, "--threads", 1), ordered.values())
        return {name: one["bleu"] for name, one in zip(ordered, found, strict=True)}


def trained(folder: Path, seed: int, recipe: str, one: Translator, *words: Any) -> dict[str, Any]:
    """Numbers of a translator on the unseen test, and the seconds and steps that its training took."""
    model, out = folder / "models" / one.name, folder / "results" / f"{one.name}.json"
    encoded = folder / "data" / "multimodal_preprocessed"
    if not (model / "onsei.json").is_file():
        source = ("--train-manifest", encoded / "parallel" / "units.jsonl") if one.speech else ()
        count = ("--num-clusters", read(encoded / "parallel" / "encode.json")["num_clusters"]) if one.speech else ()
        words = (*source, *count, "--output-dir", model, "--seed", seed, "--silent", *one.words, *words)
        onsei("train", recipe, *words)
    if not out.is_file():
        test = encoded / "unseen" / "units.jsonl"
        onsei("evaluate", model, "--test-manifest", test, "--json", out)
    history = read(model / "onsei.json")["history"]
    return {**read(out), "seconds": history["seconds"], "steps": history["steps"]}


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
    core = folder / CORE
    if not (core / "onsei.json").is_file():
        words = ("--train-manifest", encoded / "pairs" / "units.jsonl", "--output-dir", core, "--seed", seed)
        onsei("ground", recipe, *words, "--val-manifest", encoded / "val" / "units.jsonl", "--silent")
    out = folder / "results" / "retrieval.json"
    onsei("evaluate", core, "--test-manifest", encoded / "unseen" / "units.jsonl", "--json", out)
    values = {name: read(out)[name] for name in ("s2i_r1", "s2i_r10", "i2s_r1", "i2s_r10")}
    return values | curve(folder, seed, recipe, core)


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
