"""The world of shapes, from bare recordings to sentences: retrieval, translation and the few-shot curve.

    python benchmarks/translation_world.py --json benchmarks/results/translation_world.json

For each seed `onsei translation run tiny` makes a world (language, scenes and voices of that seed), all models, and
measures them on scenes whose kinds (color and shape) and voices were in no training; this part has the machine alone.
Then translators learn from 50, 100, 200 and 600 translated clips, each on one core, side by side with another:

- with B: the decoder learns to caption pictures, captions those that the untranslated clips speak about, and a
  translator that learned from these captions is trained on. Before it, it is measured as the translator that had no
  translated clip; so is the decoder of pictures itself, fed vectors of speech.
- with the grounded encoder alone: no captions but the translations.
- without B: from chance. At 100 clips the better of two runs counts: one of as many steps, and one that takes as many
  seconds of cores as all of B and C together.
- with B, but the captions each beside another clip: words of the same pictures that tell nothing of the speech.

With `--without-a` the first seed is also done with cepstra in place of the self-supervised units. What lies in
`--work` is not done again: a stopped benchmark goes on, `--seeds 1` does one seed of several.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import record

STEPS = {50: 600, 100: 600, 200: 600, 600: 400}
"""Steps by number of translated clips: few of them are gone through more often."""
CAPTION_STEPS, TOLD_STEPS = 1000, 1000
"""Steps of the decoder of pictures, and of the translator that learns from its captions."""
THREADS = 2
"""Cores that `ground` computes on in the recipe."""
CORE = Path("models") / "semantic_core_model"
BARS = {
    "s2i_r1": 45.0, "s2i_r10": 90.0, "bleu_600": 88.0, "bleu_200": 78.0, "bleu_100": 50.0, "gain_100": 15.0,
    "bleu_0_pictures": 15.0, "bleu_0": 15.0,
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
    room = Room(folder, seed, recipe)
    return values | curve(room, THREADS * state["ground"]["seconds"], core_alone=True)


@dataclass(frozen=True)
class Translator:
    """What is to be trained."""

    name: str
    words: tuple[Any, ...]
    source: str | None = "parallel"
    """Its encoded speech; None: pictures."""


@dataclass(frozen=True)
class Room:
    """A folder with a world, and what is trained and measured in it."""

    folder: Path
    seed: int
    recipe: str
    world: Path | None = None
    """Folder of the recordings, where it is another one's."""

    @property
    def captions(self) -> Path:
        """Pictures with captions that nobody spoke."""
        return (self.world or self.folder / "data" / "world") / "captions.jsonl"

    @property
    def encoded(self) -> Path:
        """Folder of units."""
        return self.folder / "data" / "multimodal_preprocessed"

    def model(self, name: str) -> Path:
        """Folder of a model."""
        return self.folder / "models" / name

    def trained(self, one: Translator) -> dict[str, Any]:
        """Numbers of a translator on the unseen test, and the seconds and steps that its training took."""
        model, out = self.model(one.name), self.folder / "results" / f"{one.name}.json"
        if not (model / "onsei.json").is_file():
            source: tuple[Any, ...] = ()
            if one.source is not None:
                count = read(self.encoded / "parallel" / "encode.json")["num_clusters"]
                source = ("--train-manifest", self.encoded / one.source / "units.jsonl", "--num-clusters", count)
            words = (*source, "--output-dir", model, "--seed", self.seed, "--silent", "--threads", 1, *one.words)
            onsei("train", self.recipe, *words)
        if not out.is_file():
            onsei("evaluate", model, "--test-manifest", self.encoded / "unseen" / "units.jsonl", "--json", out)
        history = read(model / "onsei.json")["history"]
        return {**read(out), "seconds": history["seconds"], "steps": history["steps"]}


def few(name: str, clips: int, *words: Any, steps: int = 0) -> Translator:
    """One of so many translated clips."""
    steps = steps or STEPS[clips]
    return Translator(f"few{clips}-{name}", ("--limit", clips, "--max-steps", steps, "--epochs", 100_000, *words))


def told(room: Room) -> dict[str, Any]:
    """A translator without any translation: numbers of it and of the decoder of pictures; seconds that both took."""
    core = ("--semantic-model", room.folder / CORE)
    words = (*core, "--pivot.captions", room.captions, "--batch-size", 64, "--max-steps", CAPTION_STEPS)
    pictures = room.trained(Translator("pictures", words, source=None))
    rows, clock = room.encoded / "told" / "units.jsonl", room.folder / "results" / "caption.json"
    if not clock.is_file():
        began = time.perf_counter()
        pairs = room.encoded / "pairs" / "units.jsonl"
        onsei("caption", room.model("pictures"), "--manifest", pairs, "--output-dir", rows.parent, "--force")
        clock.write_text(json.dumps({"seconds": time.perf_counter() - began}), encoding="utf-8")
    speech = room.trained(Translator("told", (*core, *_long(TOLD_STEPS)), source="told"))
    seconds = pictures["seconds"] + read(clock)["seconds"] + speech["seconds"]
    return {"bleu_0_pictures": pictures["bleu"], "bleu_0": speech["bleu"], "seconds": seconds}


def misled(room: Room) -> Translator:
    """As the one of 100 clips with B, but that the captions it began with stood each beside another clip."""
    rows = room.encoded / "misled" / "units.jsonl"
    if not rows.is_file():
        shutil.copytree(room.encoded / "told", rows.parent, dirs_exist_ok=True)
        values = [json.loads(line) for line in rows.read_text(encoding="utf-8").splitlines()]
        texts = [row["text"] for row in values]
        random.Random(room.seed).shuffle(texts)
        lines = (json.dumps({**row, "text": text}) + "\n" for row, text in zip(values, texts, strict=True))
        rows.write_text("".join(lines), encoding="utf-8")
    words = ("--semantic-model", room.folder / CORE, *_long(TOLD_STEPS))
    room.trained(Translator("misled", words, source="misled"))
    return few("misled", 100, "--base", room.model("misled"))


def curve(room: Room, ground: float, *, core_alone: bool) -> dict[str, float]:
    """BLEU by number of translated clips.

    Args:
        ground: seconds of cores that the semantic core took.
        core_alone: whether to measure too what is left out elsewhere: the grounded encoder without captions, captions
            of other clips, and the translator without B that takes as long.
    """
    core = room.folder / CORE
    with_b = [few("b", clips, "--base", room.model("told")) for clips in STEPS]
    plain = [few("plain", clips) for clips in STEPS]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        first = pool.submit(lambda: (told(room), room.trained(with_b[1])))
        alone = dict(zip(STEPS, pool.map(room.trained, plain), strict=True))
        begun, hundred = first.result()
        values = {name: begun[name] for name in ("bleu_0", "bleu_0_pictures")}
        values |= {f"bleu_{clips}_without_b": one["bleu"] for clips, one in alone.items()}
        seconds = ground + begun["seconds"] + hundred["seconds"]
        values |= {"core_seconds_b": ground + begun["seconds"], "core_seconds_c": hundred["seconds"]}
        long = round(seconds / (alone[100]["seconds"] / alone[100]["steps"]))
        more: dict[str, Any] = {}
        if core_alone:
            more["bleu_100_without_b_equal_compute"] = pool.submit(room.trained, few("long", 100, steps=long))
            values["steps_100_without_b_equal_compute"] = long
            more["bleu_100_misled"] = pool.submit(lambda: room.trained(misled(room)))
            for clips in STEPS:
                one = few("core", clips, "--semantic-model", core)
                more[f"bleu_{clips}_core"] = pool.submit(room.trained, one)
        for clips, one in zip(STEPS, with_b, strict=True):
            more[f"bleu_{clips}"] = pool.submit(room.trained, one)
        values |= {name: future.result()["bleu"] for name, future in more.items()}
    if core_alone:
        without = max(values["bleu_100_without_b_equal_compute"], values["bleu_100_without_b"])
        values |= {"gain_100": values["bleu_100"] - without, "gain_100_core": values["bleu_100_core"] - without}
    return values


def _long(steps: int) -> tuple[Any, ...]:
    return ("--max-steps", steps, "--epochs", 100_000)


def without_a(work: Path, seed: int, recipe: str) -> dict[str, float]:
    """The same with cepstra clustered by k-means in place of a pretrained encoder's features."""
    source, folder = work / f"seed{seed}" / "data" / "world", work / f"seed{seed}-mfcc"
    units = folder / "models" / "acoustic_unit_model"
    if not (units / "onsei.json").is_file():
        words: tuple[Any, ...] = ("--data-dir", source / "unlabeled.jsonl", "--features.kind", "mfcc")
        onsei("fit-units", recipe, *words, "--output-dir", units, "--seed", seed, "--silent")
    room = Room(folder, seed, recipe, source)
    for name in ("pairs", "parallel", "val", "unseen"):
        onsei("encode", units, "--manifest", source / f"{name}.jsonl", "--output-dir", room.encoded / name)
    core = folder / CORE
    if not (core / "onsei.json").is_file():
        words = ("--train-manifest", room.encoded / "pairs" / "units.jsonl", "--output-dir", core, "--seed", seed)
        onsei("ground", recipe, *words, "--val-manifest", room.encoded / "val" / "units.jsonl", "--silent")
    out = folder / "results" / "retrieval.json"
    onsei("evaluate", core, "--test-manifest", room.encoded / "unseen" / "units.jsonl", "--json", out)
    values = {name: read(out)[name] for name in ("s2i_r1", "s2i_r10", "i2s_r1", "i2s_r10")}
    return values | curve(room, THREADS * read(core / "onsei.json")["history"]["seconds"], core_alone=False)


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
