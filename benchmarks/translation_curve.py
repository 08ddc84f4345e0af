"""The few-shot curve of the world of shapes as a picture, from the numbers that translation_world.py wrote.

    python benchmarks/translation_curve.py --json benchmarks/results/translation_world.json \
        --figure docs/translation/curve.png

Lines are means over the seeds, bars reach from the worst seed to the best. Gray: what does not hear.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from onsei.plots import style

SIZES = (0, 50, 100, 200, 600)
LINES = (
    ("bleu_{}", "B (pictures), with captions of them", 0, "-"),
    ("bleu_{}_core", "B without captions", 2, "-"),
    ("bleu_{}_without_b_equal_compute", "without B, for as long as B and C take", 3, "none"),
    ("bleu_{}_without_b", "without B", 1, "-"),
)
CEPSTRA = (
    ("bleu_{}", "cepstra in place of A, with B", 0, ":"),
    ("bleu_{}_without_b", "cepstra in place of A, without B", 1, ":"),
)
CONTROLS = (("bleu_shuffled", "600: each of another clip"), ("bleu_constant", "one sentence for all"))


def drawn(result: dict[str, Any]) -> Figure:
    """BLEU over the number of translated clips."""
    figure = style.figure(7.0, 4.2)
    axes = figure.add_subplot()
    seeds = list(result["seeds"].values())
    _lines(axes, seeds, LINES)
    if "without_a" in result:
        _lines(axes, [result["without_a"]], CEPSTRA)
    values = {told: float(np.mean([seed[name] for seed in seeds])) for name, told in CONTROLS}
    for told, value in values.items():
        place = "bottom" if value == max(values.values()) else "top"
        axes.axhline(value, color=style.FAINT, linewidth=1.2)
        axes.annotate(f"{told}: {value:.0f}", (len(SIZES) - 0.98, value), va=place, ha="right", fontsize=8)
    axes.set_xticks(range(len(SIZES)), [str(size) for size in SIZES])
    style.dress(axes, x="translated clips", y="BLEU, kinds and voices never met")
    axes.set_ylim(0, 100)
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 0.11), frameon=False, fontsize=8)
    return figure


def _lines(axes: Any, seeds: list[dict[str, Any]], lines: tuple[tuple[str, str, int, str], ...]) -> None:
    for name, told, color, dash in lines:
        there = [(place, name.format(size)) for place, size in enumerate(SIZES) if name.format(size) in seeds[0]]
        places = [place for place, _ in there]
        values = np.array([[seed[key] for _, key in there] for seed in seeds])
        mean = values.mean(0)
        reach = np.abs(np.stack([values.min(0), values.max(0)]) - mean)
        axes.errorbar(
            places, mean, reach, label=told, color=style.PALETTE[color], linestyle=dash, marker="o", capsize=3
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--figure", type=Path, required=True)
    options = parser.parse_args()
    options.figure.parent.mkdir(parents=True, exist_ok=True)
    options.figure.write_bytes(style.to_png(drawn(json.loads(options.json.read_text(encoding="utf-8")))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
