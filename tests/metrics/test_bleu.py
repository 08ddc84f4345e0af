"""BLEU and chrF are sacrebleu's; intervals and controls."""

import pytest
import sacrebleu

from onsei.errors import DataError
from onsei.metrics.bleu import best_constant, interval, score

REFERENCES = ["a red circle is above two blue stars .", "three green hearts are left of a ring .", "a ring ."] * 4
HYPOTHESES = ["a red circle is above two green stars .", "three green hearts are left of a ring .", "the star ."] * 4


def test_scores_are_sacrebleus_own():
    found = score(HYPOTHESES, REFERENCES)
    assert found.bleu == pytest.approx(sacrebleu.corpus_bleu(HYPOTHESES, [REFERENCES], force=True).score)
    assert found.chrf == pytest.approx(sacrebleu.corpus_chrf(HYPOTHESES, [REFERENCES]).score)
    assert "tok:13a" in found.signature
    assert score([h.upper() for h in HYPOTHESES], REFERENCES, lowercase=True).bleu == pytest.approx(found.bleu)


def test_the_interval_holds_the_score_and_follows_the_seed():
    low, high = interval(HYPOTHESES, REFERENCES, resamples=100)
    assert low < score(HYPOTHESES, REFERENCES).bleu < high
    assert interval(HYPOTHESES, REFERENCES, resamples=100) == (low, high)


def test_the_best_constant_sentence_is_found():
    references = ["a b c d e", "a b c d f", "x y"]
    text, value = best_constant(references)
    tried = {one: score([one] * 3, references).bleu for one in references}
    assert value == pytest.approx(max(tried.values()))
    assert tried[text] == pytest.approx(value)


def test_a_translation_for_each_reference_is_needed():
    for hypotheses, references in (([], []), (["a"], ["a", "b"])):
        with pytest.raises(DataError, match="one translation for each"):
            score(hypotheses, references)
