"""Captions spoken by a program: one of the user's, or espeak-ng in a process of its own."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from onsei.data.progress import tracked
from onsei.data.row import Row
from onsei.errors import DataError, MissingExtraError
from onsei.units.spectral import RATE

_PATIENCE = 600.0


def spoken(
    captions: Mapping[str, Sequence[str]], folder: Path, *, command: str, voices: Sequence[str], all_captions: bool
) -> list[tuple[str, Row]]:
    """A recording in ``folder`` for each picture's first caption, or for all: (the picture's stem, row with the text).

    Raises:
        DataError: the program fails, or writes no file.
        MissingExtraError: espeak-ng is wanted and not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wanted: list[tuple[str, Row]] = []
    for stem, texts in captions.items():
        for number, text in enumerate(texts if all_captions else texts[:1]):
            name = stem if number == 0 else f"{stem}_{number}"
            voice = voices[len(wanted) % len(voices)] if voices and not command else None
            path = (folder / f"{name}.wav").absolute()
            wanted.append((stem, Row(name, path, text=text, speaker=voice)))
    missing = [row for _, row in wanted if row.audio is not None and not row.audio.exists()]
    if command:
        for row in tracked("speaking", missing):
            _by_command(command, row)
    elif missing:
        _by_espeak(missing)
    return wanted


def _by_command(command: str, row: Row) -> None:
    if "{output}" not in command or "{text}" not in command:
        raise DataError(f"tts_command: {command}: expected {{text}} and {{output}} in it", "name both in the command")
    words = [
        part.replace("{text}", row.text or "").replace("{output}", str(row.audio)) for part in shlex.split(command)
    ]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise DataError(f"tts_command: {words[0]}: {error}", "check the command in a terminal") from None
    if done.returncode or row.audio is None or not row.audio.exists():
        told = done.stderr.strip()[-300:] or f"it ended with {done.returncode} and wrote no {row.audio}"
        raise DataError(f"tts_command: {words[0]}: {told}", "check the command in a terminal")


def _by_espeak(rows: Sequence[Row]) -> None:
    if find_spec("espeakng_loader") is None:
        raise MissingExtraError("espeakng-loader", "demo", "speaking captions")
    asked = [
        {
            "path": str(row.audio), "sample_rate": RATE, "text": " ".join((row.text or "").split()),
            "voice": row.speaker or "en-us", "rate": 165, "pitch": 50, "range": 50, "lead": 0.1, "tail": 0.1,
        }
        for row in rows
    ]  # fmt: skip
    lines = "".join(json.dumps(one) + "\n" for one in asked)
    command = [sys.executable, "-m", "onsei.demo.espeak"]
    done = subprocess.run(command, input=lines, capture_output=True, text=True, timeout=_PATIENCE, check=False)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    fault = next((answer for answer in answers if "fault" in answer), None)
    if fault is not None:
        raise DataError(f"{rows[len(answers) - 1].id}: {fault['fault']}", fault["mend"])
    if done.returncode or len(answers) != len(rows):
        raise DataError(f"espeak-ng ended early: {done.stderr.strip()[-300:]}", "speak with a --tts-command")
