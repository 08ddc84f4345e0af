"""BLEU and chrF of translations, by sacrebleu, with the signatures that make them comparable: its one door."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from onsei.errors import DataError


@dataclass(frozen=True)
class Score:
    """BLEU and chrF of a set of translations, 0 to 100."""

    bleu: float
    chrf: float
    signature: str
    """How BLEU was counted: tokenizer, smoothing, version of sacrebleu."""
    chrf_signature: str


def score(
    hypotheses: Sequence[str], references: Sequence[str], *, lowercase: bool = False, tokenize: str = ""
) -> Score:
    """BLEU (Papineni et al. 2002) and chrF (Popović 2015) over the whole set, with one reference each.

    Args:
        tokenize: sacrebleu's tokenizer: ``13a`` by default, ``ja-mecab``, ``zh``, ``char`` …

    Raises:
        DataError: no translations, or not one for each reference.
    """
    from sacrebleu.metrics.chrf import CHRF

    _check(hypotheses, references)
    bleu, chrf = _bleu(lowercase, tokenize), CHRF(lowercase=lowercase)
    first = bleu.corpus_score(list(hypotheses), [list(references)])
    second = chrf.corpus_score(list(hypotheses), [list(references)])
    return Score(float(first.score), float(second.score), str(bleu.get_signature()), str(chrf.get_signature()))


def interval(
    hypotheses: Sequence[str],
    references: Sequence[str],
    *,
    lowercase: bool = False,
    resamples: int = 500,
    seed: int = 0,
) -> tuple[float, float]:
    """95 % interval of BLEU, by drawing sentences anew (Koehn 2004). Errors as of ``score``."""
    _check(hypotheses, references)
    bleu = _bleu(lowercase, "")
    # Matches and lengths of each sentence; BLEU of any choice of them follows from their sums.
    counts = np.asarray(bleu._extract_corpus_statistics(list(hypotheses), [list(references)]), dtype=np.int64)
    random = np.random.default_rng(seed)
    drawn = [
        bleu._compute_score_from_stats(counts[random.integers(0, len(counts), len(counts))].sum(0).tolist()).score
        for _ in range(resamples)
    ]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(low), float(high)


def best_constant(references: Sequence[str], *, lowercase: bool = False, most: int = 200) -> tuple[str, float]:
    """The sentence among ``references`` that scores best as the answer to everything, and its BLEU.

    A control: what a translator gets that says always the same. Of many, the ``most`` frequent and shortest are tried.
    """
    counted: dict[str, int] = {}
    for text in references:
        counted[text] = counted.get(text, 0) + 1
    middle = _middle(references)
    tried = sorted(counted, key=lambda text: (-counted[text], abs(len(text) - middle), text))[:most]
    scored = [(score([text] * len(references), references, lowercase=lowercase).bleu, text) for text in tried]
    value, text = max(scored)
    return text, value


def _bleu(lowercase: bool, tokenize: str) -> Any:
    from sacrebleu.metrics.bleu import BLEU

    return BLEU(lowercase=lowercase, force=True, tokenize=tokenize or None)


def _middle(texts: Sequence[str]) -> float:
    return float(np.median([len(text) for text in texts]))


def _check(hypotheses: Sequence[str], references: Sequence[str]) -> None:
    if not len(references) or len(hypotheses) != len(references):
        raise DataError(
            f"{len(hypotheses)} translations for {len(references)} references", "give one translation for each"
        )
