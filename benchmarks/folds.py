"""What the benchmarks of classification share: one `onsei classification cross-validate`, as a user would type it."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import record


def cross_validated(recipe: str, manifest: Path, by: str, extra: Sequence[str]) -> dict[str, Any]:
    """The numbers of a cross-validation of ``recipe``; its runs are thrown away."""
    with tempfile.TemporaryDirectory() as name:
        out = Path(name) / "numbers.json"
        words = [recipe, "--manifest", str(manifest), "--by", by, "--output-dir", str(Path(name) / "runs")]
        command = [sys.executable, "-m", "onsei", "classification", "cross-validate", *words, "--silent"]
        subprocess.run([*command, "--json", str(out), *extra], check=True)
        found: dict[str, Any] = json.loads(out.read_text(encoding="utf-8"))
        return found


def judged(found: Mapping[str, Any], floors: Mapping[str, float], ceilings: Mapping[str, float]) -> dict[str, bool]:
    """Which bars are held: ``floors`` are reached from above, ``ceilings`` from below."""
    held = {name: found[name] >= bar for name, bar in floors.items()}
    return held | {name: found[name] <= bar for name, bar in ceilings.items()}


def parsed(doc: str, folder: str, manifest: str) -> tuple[Path, Path | None, list[str]]:
    """Manifest, file for the result, and further words for `cross-validate`, from the command line."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--data", type=Path, default=record.ROOT.parent / "shared" / "data" / folder)
    parser.add_argument("--json", type=Path)
    chosen, extra = parser.parse_known_args()
    return chosen.data / manifest, chosen.json, extra


def told(found: Mapping[str, Any], held: Mapping[str, bool]) -> None:
    """Print the numbers and the bars."""
    print({name: round(value, 2) for name, value in found.items() if isinstance(value, (int, float))})
    print("bars:", ", ".join(f"{name} {'held' if ok else 'MISSED'}" for name, ok in held.items()))
