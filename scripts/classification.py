"""Makes the pictures of the classification page from the demo: its sounds, its matrix, its report in a browser.

    python scripts/classification.py runs/demo    # a folder in which `onsei demo classification` has run

The report is pictured where Chromium is installed; the other pictures need nothing.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from onsei.data.manifest import Manifest
from onsei.demo.sounds import RATE, Dice, make
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
    kinds = ("bell", "bubbles", "drum", "rain", "string")
    sounds = [(kind, make(kind, Dice(np.random.default_rng(1), False))) for kind in kinds]
    # Noise is what a PNG cannot make small: few colors will do.
    picture = Image.open(io.BytesIO(to_png(compared(sounds, RATE), 0.7))).convert("RGB")
    picture.quantize(24).save(FOLDER / "sounds.png", optimize=True)
    found = measure(Classifier.load(demo / "classification"), Manifest.open(demo / "sounds" / "test.jsonl"))
    (FOLDER / "confusion.png").write_bytes(to_png(confusion(found.labels, found.tally.matrix), 1.0))
    (FOLDER / "calibration.png").write_bytes(to_png(reliability(found.tally.calibration), 1.0))
    if CHROMIUM is not None:
        with tempfile.TemporaryDirectory() as place:
            page = Path(place) / "report.html"
            text = (demo / "report.html").read_text(encoding="utf-8")
            # A wrong clip is chosen, as a click on its cell would.
            press = (
                "<style>nav, header { display: none; } .chapter { margin: 0; border: 0; }</style>"
                "<script>Element.prototype.scrollIntoView = () => {};"
                "[...document.querySelectorAll('.matrix button.bad')].sort((a, b) => b.textContent - a.textContent)"
                "[0]?.click();</script></body>"
            )
            text = text.replace("; script-src ", "; script-src 'unsafe-inline' 'unsafe-hashes' ; x ").replace(
                "</body>", press
            )
            page.write_text(text, encoding="utf-8")
            words = ["--no-sandbox", "--disable-gpu", "--headless", "--hide-scrollbars", "--window-size=1000,1780"]
            words += [f"--screenshot={FOLDER / 'report.png'}", "--virtual-time-budget=4000", page.as_uri()]
            subprocess.run([CHROMIUM, *words], check=True, capture_output=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/demo")))
