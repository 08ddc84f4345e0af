"""`onsei demo`: every system's chapter, made on this machine, in one report."""

from __future__ import annotations

import time
from pathlib import Path

from onsei.config import options


@options
class Demo:
    """Train on made speech, transcribe what was never heard, and write a report to look at and listen to."""

    output_dir: Path = Path("runs/demo")
    """Folder for speech, model and report.html."""
    seed: int = 7
    """Seed of the sentences and of training."""


def demo(options: Demo) -> None:
    """Make every chapter; what an earlier demo finished in the same folder is kept, what it left off goes on."""
    from onsei.demo.recognition import chapter

    began = time.perf_counter()
    page = options.output_dir / "report.html"
    chapter(options.output_dir, page, options.seed)
    print(f"\n{page.resolve()} is ready after {time.perf_counter() - began:.0f} s: open it in a browser")
    print(f"go on: onsei recognition transcribe {options.output_dir / 'recognition'} YOUR.wav")
