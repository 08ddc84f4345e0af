"""Measuring a recognizer: WER and CER over a manifest, and what went wrong in every utterance."""

from __future__ import annotations

import json
import math
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from onsei.config import from_dict
from onsei.data.loader import Fault
from onsei.data.manifest import Manifest
from onsei.errors import ConfigError, DataError
from onsei.metrics.wer import ErrorCounts, char_errors, word_errors
from onsei.paths import write_text
from onsei.systems.recognition.config import Data, Evaluate
from onsei.systems.recognition.data import Preparation, source, told
from onsei.systems.recognition.inference import Transcriber
from onsei.text.alphabet import Alphabet


@dataclass(frozen=True)
class Utterance:
    """One utterance and how it was heard."""

    id: str
    reference: str
    hypothesis: str
    words: ErrorCounts
    characters: ErrorCounts
    characters_no_spaces: ErrorCounts
    confidence: float
    """Mean confidence of the characters, 0 to 1."""
    seconds: float


@dataclass(frozen=True)
class Evaluation:
    """All utterances of a manifest."""

    utterances: tuple[Utterance, ...]
    faults: tuple[Fault, ...]
    elapsed: float
    """Seconds that reading, network and decoding took together."""
    unknown: Counter[str] = field(default_factory=Counter)
    """Characters (or words) of the transcripts that are outside the labels: left out of the references."""

    def numbers(self) -> dict[str, float]:
        """One flat object: rates in percent, times in seconds, counts."""
        none = ErrorCounts(0, 0, 0, 0)
        words = sum((u.words for u in self.utterances), none)
        heard = sum(u.seconds for u in self.utterances)
        wrong = sum(u.words.errors > 0 for u in self.utterances)
        return {
            "wer": words.rate,
            "cer": sum((u.characters for u in self.utterances), none).rate,
            "cer_no_spaces": sum((u.characters_no_spaces for u in self.utterances), none).rate,
            "sentence_error_rate": 100.0 * wrong / max(1, len(self.utterances)),
            "substitutions": words.substitutions,
            "deletions": words.deletions,
            "insertions": words.insertions,
            "words": words.reference,
            "utterances": len(self.utterances),
            "unreadable": len(self.faults),
            "unknown_characters": self.unknown.total(),
            "audio_seconds": heard,
            "real_time_factor": self.elapsed / heard if heard else 0.0,
        }

    def worst(self, count: int) -> list[Utterance]:
        """The utterances with the most word errors, most first."""
        return sorted((u for u in self.utterances if u.words.errors), key=lambda u: -u.words.errors)[:count]


def measure(
    runner: Transcriber, manifest: Manifest, batches: Data | None = None, *, workers: int = 0, progress: bool = False
) -> Evaluation:
    """Hear every utterance of ``manifest`` and compare it with its transcript."""
    preparation = Preparation(runner.alphabet, runner.features, stride=runner.options.time_stride)
    loader = source(manifest, preparation, batches or Data(), seed=0, training=False, workers=workers)
    began = time.perf_counter()
    utterances: list[Utterance] = []
    faults: list[Fault] = []
    stream = loader.batches(0)
    for batch in track(stream, "evaluating", total=loader.count(0), transient=True) if progress else stream:
        faults += batch.faults
        if not batch.size:
            continue
        paths = runner.recognize(batch.features, batch.lengths)
        for id_, reference, seconds, path in zip(batch.ids, batch.texts, batch.seconds, paths, strict=True):
            heard = " ".join(runner.alphabet.decode(path.labels.tolist()).split())
            confidence = float(path.confidences.mean()) if len(path.confidences) else 0.0
            utterances.append(_compared(id_, reference, heard, confidence, seconds))
    elapsed = time.perf_counter() - began
    return Evaluation(tuple(utterances), tuple(faults), elapsed, unknown_in(manifest, runner.alphabet))


def unknown_in(manifest: Manifest, alphabet: Alphabet) -> Counter[str]:
    """How often each character (or word) outside the alphabet occurs in the manifest's transcripts."""
    counts: Counter[str] = Counter()
    for number in range(len(manifest)):
        with suppress(DataError):  # a broken line is a fault, counted where it is heard
            counts.update(alphabet.unknown([manifest[number].text or ""]))
    return counts


def _compared(id_: str, reference: str, heard: str, confidence: float, seconds: float) -> Utterance:
    return Utterance(
        id_,
        reference,
        heard,
        word_errors(reference, heard),
        char_errors(reference, heard),
        char_errors(reference, heard, spaces=False),
        confidence,
        seconds,
    )


def evaluate(options: Evaluate) -> None:
    """Print the rates and the worst utterances; write JSON where asked."""
    manifest = Manifest.open(options.test_manifest)
    if not len(manifest):
        raise DataError(f"{options.test_manifest}: no utterances", "check --test-manifest")
    runner = Transcriber.load(options.model, options.device, options.dtype)
    if options.unknown_characters == "fail" and (unknown := unknown_in(manifest, runner.alphabet)):
        raise ConfigError(told(manifest.path, unknown), "--unknown-characters drop scores without them")
    batches = from_dict(Data, {"batch_size": options.batch_size, "batch_seconds": options.batch_seconds})
    result = measure(runner, manifest, batches, workers=options.num_workers, progress=True)
    if not result.utterances:
        raise DataError(
            f"{options.test_manifest}: none of its {len(manifest)} utterances could be read; first: "
            f"{result.faults[0].reason}",
            "run `onsei data check` on the manifest",
        )
    numbers = result.numbers()
    console = Console()
    console.print(_rates(numbers, options))
    shown = result.utterances if options.verbose else result.worst(10)
    if shown:
        console.print(_utterances(shown, "utterances" if options.verbose else "worst utterances"))
    if result.unknown:
        console.print(f"{told(manifest.path, result.unknown)}; left out", markup=False, highlight=False)
    for fault in result.faults:
        console.print(f"not read: {fault.id}: {fault.reason}", markup=False, highlight=False)
    if options.json is not None:
        write_text(options.json, json.dumps(_finite(numbers), indent=1) + "\n")
    if options.table is not None:
        write_table(options.table, result.utterances)


def write_table(path: Path, utterances: Sequence[Utterance]) -> None:
    """Write one JSON line an utterance."""
    write_text(path, "".join(json.dumps(_finite(_row(u)), ensure_ascii=False) + "\n" for u in utterances))


def _finite(values: Mapping[str, Any]) -> dict[str, Any]:
    """JSON has no NaN: the rate of an utterance without a reference becomes null."""
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in values.items()}


def _row(u: Utterance) -> dict[str, Any]:
    return {
        "id": u.id,
        "reference": u.reference,
        "hypothesis": u.hypothesis,
        "wer": u.words.rate,
        "cer": u.characters.rate,
        "confidence": round(u.confidence, 4),
        "duration": u.seconds,
    }


def _rates(numbers: dict[str, float], options: Evaluate) -> Table:
    table = Table(title=f"{options.model} on {options.test_manifest}", title_justify="left")
    for name in (
        "WER %",
        "CER %",
        "CER % without spaces",
        "sentences wrong %",
        "utterances",
        "words",
        "real-time factor",
    ):
        table.add_column(name, justify="right")
    rates = [f"{numbers[name]:.2f}" for name in ("wer", "cer", "cer_no_spaces", "sentence_error_rate")]
    counts = [f"{numbers[name]:.0f}" for name in ("utterances", "words")]
    table.add_row(*rates, *counts, f"{numbers['real_time_factor']:.4f}")
    return table


def _utterances(utterances: Sequence[Utterance], title: str) -> Table:
    table = Table(title=title, title_justify="left")
    for name in ("id", "reference", "heard"):
        table.add_column(name, overflow="fold")
    for name in ("WER %", "CER %", "confidence"):
        table.add_column(name, justify="right")
    for u in utterances:
        rates = (f"{u.words.rate:.1f}", f"{u.characters.rate:.1f}", f"{u.confidence:.3f}")
        table.add_row(*(text.replace("[", r"\[") for text in (u.id, u.reference, u.hypothesis)), *rates)
    return table
