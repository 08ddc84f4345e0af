"""The demo's corpus: a few minutes of made speech with manifests for training, validation and an honest test."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from onsei.demo import sentences
from onsei.demo.synthesis import Clip, Utterance, speak
from onsei.demo.voices import HELD_OUT, TRAINING, Voice, check_apart
from onsei.errors import DataError
from onsei.paths import write_text

_MARK = "corpus.json"
_SETS = ("train", "val", "test")
_PART = "audio.part"
_OURS = {_MARK, "audio", _PART, *(f"{name}.jsonl" for name in _SETS)}


@dataclass(frozen=True)
class Corpus:
    """Where the corpus lies and how much of it there is."""

    train: Path
    """Manifest: training voices, training sentences."""
    val: Path
    """Manifest: training voices, sentences of validation."""
    test: Path
    """Manifest: the held-out voice, sentences of the test."""
    clips: int
    seconds: float
    """Of sound, all sets together."""


def make_corpus(
    folder: Path,
    seed: int = 0,
    *,
    train_clips: int = 40,
    val_clips: int = 4,
    test_clips: int = 60,
    sample_rate: int = 16000,
    voices: Sequence[Voice] = TRAINING,
    held_out: Voice = HELD_OUT,
) -> Corpus:
    """Make speech and manifests in ``folder``: the same seed gives the same bytes on one machine.

    Rows hold ``id, audio, duration, text, speaker, lang`` and ``words``: [[word, start, end], ...] in seconds, as the
    synthesizer placed them.

    Args:
        folder: new, empty, or an earlier corpus of the demo, which is replaced.
        seed: chooses the split of the sentences and everything that is said.
        train_clips: of each training voice.
        val_clips: of each training voice.
        test_clips: of the held-out voice.
        sample_rate: in Hz, at most 22050. Mono, 16 bit.
        voices: the training voices.
        held_out: the voice of the test.

    Raises:
        MissingExtraError: espeak-ng is not installed.
        DataError: ``folder`` holds something else, a voice that does not exist, the held-out voice is in training.
    """
    folder = Path(folder)
    check_apart(voices, held_out)
    _refuse_strangers(folder)
    plan = _plan(folder / _PART, seed, (train_clips, val_clips, test_clips), voices, held_out)
    # The mark first and the manifests last: half a corpus has no manifest, and is known as ours when it is made again.
    write_text(folder / _MARK, json.dumps({"seed": seed, "made_by": "onsei demo"}) + "\n")
    made = _speak_aside(folder, plan, sample_rate)
    for name, part in made.items():
        write_text(folder / f"{name}.jsonl", "".join(_row(speaker, clip) for speaker, clip in part))
    return Corpus(
        train=folder / "train.jsonl",
        val=folder / "val.jsonl",
        test=folder / "test.jsonl",
        clips=sum(len(part) for part in made.values()),
        seconds=sum(clip.duration for part in made.values() for _, clip in part),
    )


def _speak_aside(
    folder: Path, plan: dict[str, list[tuple[str, Utterance]]], sample_rate: int
) -> dict[str, list[tuple[str, Clip]]]:
    """Make all clips beside an earlier corpus and only then put them in its place: a failure leaves it as it was."""
    aside = folder / _PART
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    try:
        clips = iter(speak([utterance for part in plan.values() for _, utterance in part], sample_rate=sample_rate))
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    for name in _SETS:
        (folder / f"{name}.jsonl").unlink(missing_ok=True)
    if (folder / "audio").exists():
        shutil.rmtree(folder / "audio")
    aside.rename(folder / "audio")
    return {name: [(speaker, next(clips)) for speaker, _ in part] for name, part in plan.items()}


def _plan(
    folder: Path, seed: int, counts: tuple[int, int, int], voices: Sequence[Voice], held_out: Voice
) -> dict[str, list[tuple[str, Utterance]]]:
    """Who says what in each set: (speaker, utterance)."""
    split = sentences.split(seed)
    train, val, test = counts
    return {
        "train": [pair for voice in voices for pair in _lines(folder, seed, "train", voice, split.train, train)],
        "val": [pair for voice in voices for pair in _lines(folder, seed, "val", voice, split.val, val)],
        "test": list(_lines(folder, seed, "test", held_out, split.test, test)),
    }


def _lines(
    folder: Path, seed: int, part: str, voice: Voice, frames: Sequence[Sequence[str]], count: int
) -> Iterator[tuple[str, Utterance]]:
    """Draw what one voice says: the frames of the grammar in turn, in changing manner, pitch and pace."""
    draw = random.Random(f"{seed}/{part}/{voice.name}")
    orders = [cycle(draw.sample(frame, len(frame))) for frame in frames]
    first = draw.randrange(len(orders))  # or a voice of few clips would never come to the last frames
    for number in range(count):
        command = next(orders[(first + number) % len(orders)])
        yield (
            voice.name,
            Utterance(
                path=folder / f"{part}-{voice.name}-{number:03}.wav",
                text=draw.choice(sentences.manners(command)),
                voice=voice.espeak,
                rate=voice.rate + draw.randint(-15, 15),
                pitch=voice.pitch + draw.randint(-10, 10),
                range=draw.randint(35, 65),
                lead=round(draw.uniform(0.05, 0.15), 3),
                tail=round(draw.uniform(0.05, 0.15), 3),
            ),
        )


def _row(speaker: str, clip: Clip) -> str:
    row = {
        "id": clip.utterance.path.stem,
        "audio": f"audio/{clip.utterance.path.name}",
        "duration": clip.duration,
        "text": clip.utterance.text,
        "speaker": speaker,
        "lang": "en",
        "words": clip.words,
    }
    return json.dumps(row, ensure_ascii=False) + "\n"


def _refuse_strangers(folder: Path) -> None:
    """Refuse a folder that holds anything but an earlier corpus of the demo."""
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder}: is a file; the demo's corpus needs a folder", "choose another folder")
    found = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    strange = sorted(found - _OURS) if _MARK in found else sorted(found)
    if strange:
        raise DataError(
            f"{folder}: holds files that are not the demo's corpus, such as {strange[0]}; nothing was touched",
            "choose a new or empty folder",
        )
