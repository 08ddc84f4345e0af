"""Makes the pictures of the classification page from the demo: its sounds, its matrix, its report in a browser.

    python scripts/classification.py runs/demo    # a folder in which `onsei demo classification` has run

The report is pictured where Chromium is installed; the other pictures need nothing.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from onsei.data.manifest import Manifest
from onsei.demo.sounds import KINDS, RATE, Dice, make
from onsei.plots.classes import confusion, reliability
from onsei.plots.spectrogram import compared
from onsei.plots.style import to_png
from onsei.systems.classification.evaluation import measure
from onsei.systems.classification.inference import Classifier

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "classification"
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")


def main(demo: Path) -> int:
    """Write the pictures; returns the exit status."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    kinds = list(KINDS)[::2]
    sounds = [(kind, make(kind, Dice(np.random.default_rng(1), False))) for kind in kinds]
    (FOLDER / "sounds.png").write_bytes(to_png(compared(sounds, RATE), 0.8))
    found = measure(Classifier.load(demo / "classification"), Manifest.open(demo / "sounds" / "test.jsonl"))
    (FOLDER / "confusion.png").write_bytes(to_png(confusion(found.labels, found.tally.matrix), 1.0))
    (FOLDER / "calibration.png").write_bytes(to_png(reliability(found.tally.calibration), 1.0))
    if CHROMIUM is not None:
        with tempfile.TemporaryDirectory() as place:
            page = Path(place) / "report.html"
            text = (demo / "report.html").read_text(encoding="utf-8")
            # A wrong clip is chosen, as a click on its cell would.
            press = "<script>document.querySelector('.matrix button.bad')?.click();</script></body>"
            text = text.replace("; script-src ", "; script-src 'unsafe-inline' 'unsafe-hashes' ; x ").replace(
                "</body>", press
            )
            page.write_text(text, encoding="utf-8")
            words = ["--no-sandbox", "--disable-gpu", "--headless", "--hide-scrollbars", "--window-size=1000,1500"]
            subprocess.run(
                [CHROMIUM, *words, f"--screenshot={FOLDER / 'report.png'}", "--virtual-time-budget=4000", page.as_uri()],
                check=True, capture_output=True,
            )  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/demo")))
