"""What every result carries: the machine, the commit and the command it came from."""

from __future__ import annotations

import json
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
MBOSHI = Path(os.environ.get("ONSEI_MBOSHI", ROOT.parent / "shared" / "data" / "mboshi_fr"))
"""Folder of the Mboshi manifests, train and dev.jsonl, unless a benchmark is told another."""


def origin() -> dict[str, Any]:
    from importlib.metadata import version

    return {
        "machine": {
            "cpu": _cpu(),
            "cores": os.cpu_count(),
            "load_1min": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
            "system": platform.system(),
            "python": platform.python_version(),
            "torch": version("torch"),
            "numpy": version("numpy"),
        },
        "commit": _git("rev-parse", "HEAD"),
        "changed_since": bool(_git("status", "--porcelain", "--", "src", "benchmarks/*.py")),
        "command": shlex.join(["python", *sys.argv]),
    }


def write(path: Path | None, results: Mapping[str, Any]) -> None:
    """One JSON object: the results, and where they come from."""
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({**results, **origin()}, indent=1, ensure_ascii=False)
        path.write_text(text + "\n", encoding="utf-8")


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _git(*words: str) -> str:
    try:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
