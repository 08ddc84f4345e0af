"""Run the lessons in docs/lessons: fill in what their snippets print, and bring their pictures up to date.

python scripts/lessons.py            # run all, write outputs and pictures

A block after a line ``<!-- run -->`` is executed, all of a page's in order, in one folder and with one set of names; a
``text`` block after it holds what it prints.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from onsei import cli

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "lessons"
BLOCK = re.compile(r"<!-- run -->\n```(\w+)\n(.*?)```\n(?:\n```text\n(.*?)```\n)?", re.DOTALL)
PICTURE = re.compile(r"!\[[^\]]*\]\(([^)]+)\)")


def run(text: str, place: Path) -> list[str]:
    """What each marked block of the page ``text`` prints, run in the folder ``place``; commands print nothing here."""
    names: dict[str, Any] = {"__name__": "lesson"}
    before, printed = Path.cwd(), []
    os.chdir(place)
    try:
        for language, content, _ in BLOCK.findall(text):
            stream = io.StringIO()
            with contextlib.redirect_stdout(stream):
                if language == "python":
                    exec(compile(content, "lesson", "exec"), names)
                else:
                    _commands(content)
            printed.append(stream.getvalue() if language == "python" else "")
    finally:
        os.chdir(before)
    return printed


def _commands(content: str) -> None:
    for line in content.splitlines():
        onsei, *words = shlex.split(line)
        if onsei != "onsei" or cli.main(words) != 0:
            raise RuntimeError(f"did not run: {line}")


def filled(text: str, printed: list[str]) -> str:
    """The page with what its blocks printed."""
    outputs = iter(printed)

    def block(found: re.Match[str]) -> str:
        output = next(outputs)
        shown = f"\n```text\n{output}```\n" if output else ""
        return f"<!-- run -->\n```{found[1]}\n{found[2]}```\n{shown}"

    return BLOCK.sub(block, text)


def main() -> int:
    """Run every lesson; returns the exit status."""
    for page in sorted(FOLDER.glob("*.md")):
        text = page.read_text(encoding="utf-8")
        with tempfile.TemporaryDirectory() as place:
            new = filled(text, run(text, Path(place)))
            for name in PICTURE.findall(text):
                target = page.parent / name
                target.parent.mkdir(exist_ok=True)
                shutil.copyfile(Path(place) / name, target)
        page.write_text(new, encoding="utf-8", newline="\n")
        print(f"{page.name}: {'as it was' if new == text else 'written'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
