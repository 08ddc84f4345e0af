"""Speech from text, by espeak-ng in processes of its own."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onsei.errors import DataError, MissingExtraError, OnseiError

_PROGRAM = Path(__file__).with_name("espeak.py")
_PROCESSES = 4  # fixed, not the number of cores: what a process says depends on what it said before
_PATIENCE = 300.0  # seconds; a voice says hundreds of clips a second


@dataclass(frozen=True)
class Utterance:
    """What is to be said, and how."""

    path: Path
    """The WAV file to write; its folder exists."""
    text: str
    """Words separated by single spaces."""
    voice: str
    """espeak-ng voice, e.g. ``en-us+f4``."""
    rate: int = 170
    """Words a minute."""
    pitch: int = 50
    """Mean pitch, 0-100."""
    range: int = 50
    """Liveliness of the pitch, 0-100."""
    lead: float = 0.1
    """Silence before the speech, seconds."""
    tail: float = 0.1
    """Silence after it, seconds."""


@dataclass(frozen=True)
class Clip:
    """What was said: a WAV file, mono, 16 bit."""

    utterance: Utterance
    duration: float
    """Seconds."""
    words: tuple[tuple[str, float, float], ...]
    """(word, start, end) in seconds. A word ends where the next one starts."""


def speak(utterances: Sequence[Utterance], *, sample_rate: int = 16000) -> list[Clip]:
    """Write the WAV file of every utterance; clips come back in the order of ``utterances``.

    The same utterances give the same bytes, however many cores there are: the voices are dealt out to a fixed number of
    processes, and each speaks in a fixed order.

    Raises:
        MissingExtraError: espeak-ng is not installed.
        DataError: a voice that espeak-ng does not have, or a sentence without clear word boundaries.
        OnseiError: espeak-ng failed.
    """
    if importlib.util.find_spec("espeakng_loader") is None:
        raise MissingExtraError("espeakng-loader", "demo", "making the demo's speech")
    voices = sorted({utterance.voice for utterance in utterances})
    turns = {voice: turn for turn, voice in enumerate(voices)}
    order = sorted(range(len(utterances)), key=lambda i: turns[utterances[i].voice])
    shares = [[i for i in order if turns[utterances[i].voice] % _PROCESSES == k] for k in range(_PROCESSES)]
    clips: dict[int, Clip] = {}
    with ThreadPoolExecutor(max_workers=min(_PROCESSES, os.cpu_count() or 1)) as pool:
        answers = pool.map(lambda share: _say([utterances[i] for i in share], sample_rate), filter(None, shares))
        for share, said in zip(filter(None, shares), answers, strict=True):
            clips.update(zip(share, said, strict=True))
    return [clips[i] for i in range(len(utterances))]


def _say(utterances: Sequence[Utterance], sample_rate: int) -> list[Clip]:
    requests = "".join(json.dumps(_request(utterance, sample_rate)) + "\n" for utterance in utterances)
    # -P: neither the working folder nor the program's own may shadow a library.
    command = [sys.executable, "-P", str(_PROGRAM)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    try:
        process = subprocess.run(
            command, input=requests.encode(), capture_output=True, timeout=_PATIENCE, env=environment, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise OnseiError(f"espeak-ng did not finish in {_PATIENCE:.0f} s", "run the same command again") from error
    answers: list[dict[str, Any]] = [json.loads(line) for line in process.stdout.splitlines()]
    if answers and "fault" in answers[-1]:
        raise DataError(answers[-1]["fault"], answers[-1]["mend"])
    if process.returncode != 0 or len(answers) != len(utterances):
        last = process.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise OnseiError(
            f"espeak-ng ended with code {process.returncode} after {len(answers)} of {len(utterances)} clips"
            + "".join(f": {line}" for line in last),
            "pip install --force-reinstall espeakng-loader",
        )
    return [
        Clip(utterance, answer["duration"], tuple((word, start, end) for word, start, end in answer["words"]))
        for utterance, answer in zip(utterances, answers, strict=True)
    ]


def _request(utterance: Utterance, sample_rate: int) -> dict[str, Any]:
    return {
        "path": str(utterance.path.absolute()),  # the program works in another folder
        "sample_rate": sample_rate,
        "text": utterance.text,
        "voice": utterance.voice,
        "rate": utterance.rate,
        "pitch": utterance.pitch,
        "range": utterance.range,
        "lead": utterance.lead,
        "tail": utterance.tail,
    }
