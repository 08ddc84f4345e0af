"""A translator on a manifest: BLEU and chrF, and the same of what does not hear."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from onsei.data.manifest import Manifest
from onsei.data.progress import progress
from onsei.data.row import Row
from onsei.errors import DataError
from onsei.metrics import bleu
from onsei.systems.translation.config.evaluate import Evaluate
from onsei.systems.translation.evaluation.slots import KEY, slot_accuracy
from onsei.systems.translation.ground.rows import units_of
from onsei.systems.translation.translator.inference import UnitTranslator

_TOGETHER = 64
_DRAWS = 10
"""Random sentences that are averaged."""
_TRIED = 60
"""Sentences that are tried as the answer to everything."""


@dataclass(frozen=True)
class Translated:
    """Clips with what was said and what was written."""

    ids: tuple[str, ...]
    references: tuple[str, ...]
    hypotheses: tuple[str, ...]
    zeroed: tuple[str, ...]
    """What the decoder writes of the same clips that is shown zeros."""
    slots: tuple[dict[str, str], ...]
    """Empty where rows do not have them."""


def translated(
    runner: UnitTranslator, manifest: Manifest, beams: int, hear: Callable[[Row], NDArray[np.int64]] = units_of
) -> Translated:
    """Translate the rows that have a text; ``hear`` gives their units.

    Raises:
        DataError: there is none.
    """
    ids, references, clips, slots = [], [], [], []
    for row in manifest:
        if (row.text or "").strip():
            ids.append(row.id)
            references.append((row.text or "").strip())
            clips.append(hear(row))
            slots.append(dict(row.extra[KEY]) if isinstance(row.extra.get(KEY), dict) else {})
    if not ids:
        raise DataError(f"{manifest.path}: no row has a text", "give rows the key `text`")
    hypotheses: list[str] = []
    zeroed: list[str] = []
    with progress("translating", len(clips)) as advance:
        for first in range(0, len(clips), _TOGETHER):
            part = clips[first : first + _TOGETHER]
            hypotheses += [one.sentences[0].text for one in runner(part, beams=beams)]
            zeroed += runner.zeroed(part)
            advance(len(part), len(clips) > 4 * _TOGETHER)
    whole = tuple(slots) if all(slots) else ()
    return Translated(tuple(ids), tuple(references), tuple(hypotheses), tuple(zeroed), whole)


def numbers(found: Translated, training: Sequence[str], options: Evaluate) -> dict[str, float | str]:
    """All numbers by name; rates in percent."""
    plain = {"lowercase": options.lowercase}
    references = list(found.references)
    score = bleu.score(found.hypotheses, references, tokenize=options.tokenize, **plain)
    low, high = bleu.interval(found.hypotheses, references, resamples=options.resamples, seed=options.seed, **plain)
    known = list(training) or references
    values: dict[str, float | str] = {
        "clips": len(references),
        "bleu": score.bleu,
        "bleu_low": low,
        "bleu_high": high,
        "chrf": score.chrf,
        "exact": _exact(found.hypotheses, references, lowercase=options.lowercase),
        "bleu_shuffled": _shuffled(found, options),
        "bleu_zeroed": bleu.score(found.zeroed, references, tokenize=options.tokenize, **plain).bleu,
        "bleu_random": _random(known, references, options),
        "bleu_constant": _constant(known, references, options),
        "recurring": 100 * sum(text in set(training) for text in references) / len(references) if training else 0.0,
        "signature": score.signature,
        "chrf_signature": score.chrf_signature,
    }
    for name, value in slot_accuracy(found.hypotheses, found.slots).items() if found.slots else ():
        values[f"slot/{name}"] = value
    return values


def _exact(hypotheses: Sequence[str], references: Sequence[str], *, lowercase: bool) -> float:
    pairs = zip(hypotheses, references, strict=True)
    return 100 * float(np.mean([a.lower() == b.lower() if lowercase else a == b for a, b in pairs]))


def _shuffled(found: Translated, options: Evaluate) -> float:
    """BLEU where every clip is another one's: what is known of the language without hearing."""
    size = len(found.references)
    turn = 1 + int(np.random.default_rng(options.seed).integers(max(1, size - 1)))
    heard = [found.hypotheses[(n + turn) % size] for n in range(size)]
    return bleu.score(heard, list(found.references), lowercase=options.lowercase, tokenize=options.tokenize).bleu


def _random(known: Sequence[str], references: Sequence[str], options: Evaluate) -> float:
    random = np.random.default_rng(options.seed)
    drawn = [
        bleu.score(
            [known[int(n)] for n in random.integers(0, len(known), len(references))],
            references,
            lowercase=options.lowercase,
            tokenize=options.tokenize,
        ).bleu
        for _ in range(_DRAWS)
    ]
    return float(np.mean(drawn))


def _constant(known: Sequence[str], references: Sequence[str], options: Evaluate) -> float:
    middle = float(np.median([len(text) for text in references]))
    tried = sorted(set(known), key=lambda text: (-known.count(text), abs(len(text) - middle), text))[:_TRIED]
    return max(
        bleu.score([text] * len(references), references, lowercase=options.lowercase, tokenize=options.tokenize).bleu
        for text in tried
    )
