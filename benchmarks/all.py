"""Every benchmark, one after the other, with its result in benchmarks/results."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
NAMES = (
    "calibrate",
    "start",
    "features",
    "loading",
    "augment",
    "manifest_rows",
    "training",
    "training_step",
    "vocoder_speed",
    "digits",
    "an4",
    "arctic",
    "esc10",
    "digits_label",
    "encoder_control",
    "classify",
    "song_lyrics",
    "song_singer",
    "articulation_speed",
    "articulation_tract",
    "articulation_maps",
    "articulation_voices",
    "kmeans",
    "pretraining",
    "encoding",
    "translation_units",
    "song_generation",
    "song_loading",
    "song_training",
    "song_real",
    "translation_world",
    "translation_flickr",
    "translation_mboshi",
)


def main() -> int:
    missed = []
    for name in NAMES:
        print(f"\n== {name}", flush=True)
        out = HERE / "results" / f"{name}.json"
        if subprocess.run([sys.executable, str(HERE / f"{name}.py"), "--json", str(out)], check=False).returncode:
            missed.append(name)
    print(f"\nbars missed or not measured: {', '.join(missed) or 'none'}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
