"""Does an encoder learn? A tiny HuBERT from random weights on spoken digits, against the same one frozen.

    python benchmarks/encoder_control.py --data ../shared/data/digits_en --json benchmarks/results/encoder_control.json

Twice `onsei classification train` and `evaluate`: once all weights are trained, once only the two linear layers on top
of the random encoder. The speakers of the test are those of training, its takes are others. Chance is 10 %.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import record

BARS = {"accuracy": 60.0, "margin": 20.0}
RECIPE = """\
features: {{kind: wave, sample_rate: 16000, seconds: 1}}
encoder: {{pretrained: {encoder}, from_scratch: true, freeze: {freeze}}}
augment: {{gain: 6}}
data: {{batch_size: 32}}
optimization: {{learning_rate: 2e-3}}
training: {{threads: 1, epochs: 8, max_norm: 1, schedule: linear, warmup_steps: 50, silent: true}}
"""


def encoder(folder: Path) -> Path:
    """A folder with the shape of a small HuBERT, without weights."""
    from transformers import HubertConfig

    config = HubertConfig(
        hidden_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=192,
        conv_dim=(48,) * 7,
        num_conv_pos_embeddings=32,
        num_conv_pos_embedding_groups=8,
        classifier_proj_size=64,
        feat_extract_norm="layer",
        mask_time_prob=0.0,
        layerdrop=0.0,
    )
    folder.mkdir()
    (folder / "config.json").write_text(config.to_json_string(), encoding="utf-8")
    return folder


def run(place: Path, freeze: str, data: Path, extra: list[str]) -> dict[str, Any]:
    recipe, out = place / f"{freeze}.yaml", place / f"{freeze}.json"
    recipe.write_text(RECIPE.format(encoder=json.dumps(str(place / "encoder")), freeze=freeze), encoding="utf-8")
    onsei = [sys.executable, "-m", "onsei", "classification"]
    words = ["--train-manifest", str(data / "train.jsonl"), "--output-dir", str(place / freeze), *extra]
    subprocess.run([*onsei, "train", str(recipe), *words], check=True)
    words = [str(place / freeze), "--test-manifest", str(data / "dev.jsonl"), "--json", str(out)]
    subprocess.run([*onsei, "evaluate", *words], check=True)
    found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=record.ROOT.parent / "shared" / "data" / "digits_en")
    parser.add_argument("--json", type=Path)
    chosen, extra = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as name:
        encoder(Path(name) / "encoder")
        trained, frozen = (run(Path(name), freeze, chosen.data, extra)["accuracy"] for freeze in ("none", "all"))
    found = {"accuracy": trained, "frozen_accuracy": frozen, "margin": trained - frozen}
    held = {name: found[name] >= bar for name, bar in BARS.items()}
    print(found, "bars:", ", ".join(f"{name} {'held' if ok else 'MISSED'}" for name, ok in held.items()))
    record.write(chosen.json, {**found, "bars": BARS, "held": held})
    return 0 if all(held.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
