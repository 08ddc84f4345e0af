"""`onsei demo`: every system's chapter, made on this machine, in one report."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from onsei.config import Positional, options, shown_as
from onsei.system import resolve

TITLE = "What onsei learned on this machine"
"""Of the report."""


@dataclass(frozen=True)
class Chapter:
    """One system's part of the demo."""

    name: str
    """Of the system."""
    make: str
    """``module:function`` of the folder of the demo, the report's page and a seed; makes the chapter."""
    next: str
    """A command to go on with; ``{folder}`` stands for the folder of the demo."""


CHAPTERS = (
    Chapter(
        "recognition", "onsei.demo.recognition:chapter", "onsei recognition transcribe {folder}/recognition YOUR.wav"
    ),
    Chapter(
        "classification",
        "onsei.demo.classification:chapter",
        "onsei classification classify {folder}/classification YOUR.wav",
    ),
    Chapter(
        "articulation",
        "onsei.demo.articulation:chapter",
        "onsei articulation explain {folder}/articulation --video {folder}/films/test-0.mp4 --output-dir maps",
    ),
    Chapter(
        "translation",
        "onsei.demo.translation:chapter",
        "onsei translation translate {folder}/translation/models/final_translator_model YOUR.wav",
    ),
    Chapter(
        "song",
        "onsei.demo.song:chapter",
        "onsei song generate {folder}/song '[verse] s a k a n a n o u t a' --phones --output-dir sung",
    ),
)
"""In the order of the report; each takes its place there by its ``order``."""


Name = Literal["recognition", "classification", "articulation", "translation", "song"]


@options
class Demo:
    """Train on made speech, sounds and films, try what was never in training, and write a report to see and hear."""

    chapters: Annotated[Positional[tuple[Name, ...]], shown_as("CHAPTER…")] = ()
    """Systems to show; all by default."""
    output_dir: Path = Path("runs/demo")
    """Folder for sounds, models and report.html."""
    seed: int = 7
    """Seed of what is made and of training."""


def demo(options: Demo) -> None:
    """Make every chapter; what an earlier demo finished in the same folder is kept, what it left off goes on."""
    began = time.perf_counter()
    page = options.output_dir / "report.html"
    wanted = [chapter for chapter in CHAPTERS if not options.chapters or chapter.name in options.chapters]
    for chapter in wanted:
        resolve(chapter.make)(options.output_dir, page, options.seed)
    print(f"\n{page.resolve()} is ready after {time.perf_counter() - began:.0f} s: open it in a browser")
    for chapter in wanted:
        print(f"go on: {chapter.next.format(folder=options.output_dir)}")
