"""From a manifest to compared utterances, one after the other, and what they add up to."""

from __future__ import annotations

import time
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from rich.progress import track

from onsei.data.loader import Fault
from onsei.data.manifest import Manifest
from onsei.errors import DataError
from onsei.metrics.bootstrap import RESAMPLES, group_numbers, intervals
from onsei.metrics.normalize import NORMALIZERS, Normalizer, normalizer
from onsei.metrics.wer import ErrorCounts, char_errors, word_errors
from onsei.systems.recognition.config import Data
from onsei.systems.recognition.data import Preparation, source
from onsei.systems.recognition.inference import Transcriber
from onsei.text.alphabet import Alphabet

By = Literal["auto", "utterance", "speaker"]
RATES = ("wer", "cer", "cer_no_spaces")


@dataclass(frozen=True)
class Utterance:
    """One utterance and how it was heard."""

    id: str
    reference: str
    hypothesis: str
    words: ErrorCounts
    """Of the normalized texts, as the two below."""
    characters: ErrorCounts
    characters_no_spaces: ErrorCounts
    confidence: float
    """Mean confidence of the characters, 0 to 1."""
    seconds: float
    speaker: str = ""


@dataclass
class Tally:
    """What utterances add up to; of each it keeps six whole numbers and its speaker's."""

    utterances: int = 0
    wrong: int = 0
    """Utterances with a word error."""
    seconds: float = 0.0
    elapsed: float = 0.0
    """Seconds that reading, network and decoding took together."""
    faults: int = 0
    words: ErrorCounts = field(default_factory=ErrorCounts)
    _counts: tuple[array[int], ...] = field(default_factory=lambda: tuple(array("i") for _ in range(6)))
    _speaker: array[int] = field(default_factory=lambda: array("i"))
    _speakers: dict[str, int] = field(default_factory=dict)

    def add(self, u: Utterance) -> None:
        """Count one more."""
        self.utterances += 1
        self.wrong += u.words.errors > 0
        self.seconds += u.seconds
        self.words += u.words
        for place, counts in enumerate((u.words, u.characters, u.characters_no_spaces)):
            self._counts[place].append(counts.errors)
            self._counts[place + 3].append(counts.reference)
        known = self._speakers.setdefault(u.speaker, len(self._speakers)) if u.speaker else -1
        self._speaker.append(known)

    def grouped_by(self, by: By) -> Literal["utterance", "speaker"]:
        """What the bootstrap draws: speakers where all are known and there are two or more, unless said otherwise.

        Raises:
            DataError: speakers are asked for, but not known.
        """
        unknown = self._speaker.count(-1)
        if by == "auto":
            return "speaker" if not unknown and len(self._speakers) > 1 else "utterance"
        if by == "speaker" and unknown:
            raise DataError(
                f"--bootstrap-by speaker: {unknown} of {self.utterances} utterances have no speaker",
                "give the rows the key `speaker`, or take --bootstrap-by utterance",
            )
        return by

    def numbers(self, by: By = "auto", *, resamples: int = RESAMPLES, seed: int = 0) -> dict[str, float]:
        """Rates in percent with the ends of their 95 % intervals, times in seconds, counts."""
        counts = [np.array(part, dtype=np.float64) for part in self._counts]
        groups = np.array(self._speaker, dtype=np.int64) if self.grouped_by(by) == "speaker" else None
        found = intervals(np.stack(counts[:3], 1), np.stack(counts[3:], 1), groups, resamples=resamples, seed=seed)
        rates = dict(zip(RATES, found, strict=True))
        return {
            **{name: interval.rate for name, interval in rates.items()},
            **{f"{name}_low": interval.low for name, interval in rates.items()},
            **{f"{name}_high": interval.high for name, interval in rates.items()},
            "sentence_error_rate": 100.0 * self.wrong / max(1, self.utterances),
            "substitutions": self.words.substitutions,
            "deletions": self.words.deletions,
            "insertions": self.words.insertions,
            "words": self.words.reference,
            "utterances": self.utterances,
            "speakers": len(self._speakers),
            "unreadable": self.faults,
            "audio_seconds": self.seconds,
            "real_time_factor": self.elapsed / self.seconds if self.seconds else 0.0,
        }


@dataclass(frozen=True)
class Evaluation:
    """All utterances of a manifest that fits into memory."""

    utterances: tuple[Utterance, ...]
    faults: tuple[Fault, ...]
    tally: Tally
    normalizer: Normalizer
    unknown: Counter[str] = field(default_factory=Counter)
    """Characters (or words) of the transcripts that are outside the labels: left out of the references."""

    def numbers(self) -> dict[str, float]:
        """One flat object: see ``Tally.numbers``."""
        return {**self.tally.numbers(), "unknown_characters": self.unknown.total()}


def measure(
    runner: Transcriber,
    manifest: Manifest,
    batches: Data | None = None,
    *,
    workers: int = 0,
    progress: bool = False,
    scoring: Normalizer | None = None,
) -> Evaluation:
    """Hear every utterance of ``manifest`` and compare it with its transcript."""
    scoring = scoring or fitting(runner.alphabet)
    tally = Tally()
    found = list(heard(runner, manifest, tally, scoring, batches, workers=workers, progress=progress))
    utterances = tuple(one for one in found if isinstance(one, Utterance))
    faults = tuple(one for one in found if isinstance(one, Fault))
    return Evaluation(utterances, faults, tally, scoring, unknown_in(manifest, runner.alphabet))


def heard(
    runner: Transcriber,
    manifest: Manifest,
    tally: Tally,
    scoring: Normalizer = NORMALIZERS["none"],
    batches: Data | None = None,
    *,
    workers: int = 0,
    progress: bool = False,
) -> Iterator[Utterance | Fault]:
    """Every utterance of ``manifest``, compared and counted in ``tally``, or why it could not be read."""
    preparation = Preparation(runner.alphabet, runner.features, stride=runner.options.time_stride)
    loader = source(manifest, preparation, batches or Data(), seed=0, training=False, workers=workers)
    stream = loader.batches(0)
    began = time.perf_counter()
    for batch in track(stream, "evaluating", total=loader.count(0), transient=True) if progress else stream:
        tally.faults += len(batch.faults)
        yield from batch.faults
        if not batch.size:
            continue
        paths = runner.recognize(batch.features, batch.lengths)
        rows = zip(batch.ids, batch.texts, batch.seconds, batch.speakers, paths, strict=True)
        for id_, reference, seconds, speaker, path in rows:
            text = " ".join(runner.alphabet.decode(path.labels.tolist()).split())
            confidence = float(path.confidences.mean()) if len(path.confidences) else 0.0
            utterance = Utterance(
                id_, reference, text, *counts_of(reference, text, scoring), confidence, seconds, speaker
            )
            tally.add(utterance)
            yield utterance
        tally.elapsed = time.perf_counter() - began
    tally.elapsed = time.perf_counter() - began


def counts_of(reference: str, hypothesis: str, scoring: Normalizer) -> tuple[ErrorCounts, ErrorCounts, ErrorCounts]:
    """Errors in words, in characters, and in characters without spaces, of the normalized texts."""
    pair = scoring(reference), scoring(hypothesis)
    return word_errors(*pair), char_errors(*pair), char_errors(*pair, spaces=False)


def fitting(alphabet: Alphabet) -> Normalizer:
    """The normalizer that ``auto`` means for a model's labels."""
    return normalizer("auto", alphabet.labels[1:])


def unknown_in(manifest: Manifest, alphabet: Alphabet) -> Counter[str]:
    """How often each character (or word) outside the alphabet occurs in the manifest's transcripts."""
    counts: Counter[str] = Counter()
    for number in range(len(manifest)):
        with suppress(DataError):  # a broken line is a fault, counted where it is heard
            counts.update(alphabet.unknown([manifest[number].text or ""]))
    return counts


def speakers_of(names: Sequence[str], by: By) -> tuple[Literal["utterance", "speaker"], list[int] | None]:
    """What the bootstrap draws of utterances by speakers with these ``names``, and their numbers."""
    whole = all(names) and (by == "speaker" or len(set(names)) > 1)
    if by == "speaker" and not whole:
        raise DataError("--bootstrap-by speaker: rows without a speaker", "take --bootstrap-by utterance")
    return ("speaker", group_numbers(names).tolist()) if whole and by != "utterance" else ("utterance", None)
