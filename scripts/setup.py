"""Make the virtual environment `.venv` and install onsei into it; needs only Python, on any system.

    python scripts/setup.py            # onsei alone
    python scripts/setup.py demo       # with what the demo needs
    python scripts/setup.py dev        # with what tests and checks need

Installed again only when pyproject.toml or the wanted extras change. Uses uv where it is found, else pip. Where pip
is configured (find-links) with a folder that holds a CPU build of torch, that build is taken.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
IMPLIED = {"dev": {"test", "demo"}, "test": {"demo"}}  # an environment with dev needs no further install for demo


def main(extras: list[str]) -> int:
    """Install onsei with ``extras``; returns the exit status."""
    if sys.version_info < (3, 11):  # noqa: UP036 (this is where an older Python is told so)
        print(f"onsei needs Python 3.11 or newer; this is {sys.version.split()[0]}", file=sys.stderr)
        return 2
    stamp = VENV / "onsei-installed.txt"
    state = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    done = stamp.read_text(encoding="utf-8").split() if stamp.exists() else [""]
    installed = set(done[1:]) if done[0] == state else set()
    covered = installed.union(*(IMPLIED.get(extra, set()) for extra in installed))
    if done[0] == state and set(extras) <= covered and PYTHON.exists():
        return 0
    if not PYTHON.exists():
        print("making .venv", flush=True)
        venv.create(VENV, with_pip=True)
    wanted = sorted(installed | set(extras))
    target = str(ROOT) + (f"[{','.join(wanted)}]" if wanted else "")
    environment = dict(os.environ)
    links = find_links()
    wheel = cpu_torch(links)
    if wheel is not None:
        constraint = VENV / "torch-constraint.txt"
        constraint.write_text(f"torch=={wheel}\n", encoding="utf-8")
        environment["PIP_CONSTRAINT"] = environment["UV_CONSTRAINT"] = str(constraint)
        environment["UV_FIND_LINKS"] = ",".join(links)  # uv does not read pip's configuration
    uv = shutil.which("uv")
    command = [uv, "pip", "install", "--python", str(PYTHON)] if uv else [str(PYTHON), "-m", "pip", "install", "-q"]
    print(f"installing onsei{f' with {chr(44).join(wanted)}' if wanted else ''} (a minute or two)", flush=True)
    status = subprocess.run([*command, "-e", target], env=environment, check=False).returncode
    if status == 0:
        stamp.write_text(" ".join([state, *wanted]), encoding="utf-8")
    return status


def find_links() -> list[str]:
    """Folders and pages that pip is configured to look for wheels in."""
    places = os.environ.get("PIP_FIND_LINKS", "").split()
    listed = subprocess.run(
        [str(PYTHON), "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    ).stdout
    for line in listed.splitlines():
        key, _, value = line.partition("=")
        if key.endswith("find-links"):
            places += value.strip("'\"").replace("\\n", " ").split()
    return list(dict.fromkeys(places))


def cpu_torch(places: list[str]) -> str | None:
    """Version of the newest CPU build of torch in the folders among ``places``; None when there is none."""
    wheels = [wheel for place in places if Path(place).is_dir() for wheel in Path(place).glob("torch-*+cpu-*.whl")]
    tag = f"-cp{sys.version_info.major}{sys.version_info.minor}-"
    versions = [wheel.name.split("-")[1] for wheel in wheels if tag in wheel.name]
    return max(versions, key=lambda v: [int(n) for n in v.split("+")[0].split(".") if n.isdigit()], default=None)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
