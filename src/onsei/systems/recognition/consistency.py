"""Two changed copies of a batch that should be heard alike, frame by frame or as whole utterances.

Frame by frame is consistency-regularized CTC (Yao et al. 2024, CR-CTC). The paper's copies differ in what is masked;
these differ in voice and microphone too, where the options ask for that. Whole utterances may differ in everything,
also in time.

B batch, D feature rows, T frames, F output frames, V labels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from onsei.nn.divergence import divergence
from onsei.nn.masks import length_mask
from onsei.systems.recognition.data import Batch

Voices = Callable[[Tensor, np.random.Generator], Tensor]
"""Changes features, (D, T), at random, and leaves them their length."""


def doubled(batch: Batch, voices: Voices, seed: int) -> Batch:
    """The batch twice, one copy after the other, each utterance changed by itself: 2B utterances.

    Args:
        batch: features as they come.
        voices: what changes each.
        seed: what the changes follow from.
    """
    random = np.random.default_rng(seed)
    features = torch.cat([batch.features, batch.features])
    lengths = torch.cat([batch.lengths, batch.lengths])
    for item, frames in zip(features, lengths.tolist(), strict=True):
        item[:, :frames] = voices(item[:, :frames], random)
    return replace(
        batch,
        ids=batch.ids * 2,
        features=features,
        lengths=lengths,
        labels=torch.cat([batch.labels, batch.labels]),
        label_lengths=torch.cat([batch.label_lengths, batch.label_lengths]),
        needed=torch.cat([batch.needed, batch.needed]),
        texts=batch.texts * 2,
        seconds=batch.seconds * 2,
        speakers=batch.speakers * 2,
    )


def framewise(scores: Tensor, lengths: Tensor) -> Tensor:
    """How far apart the copies' labels are: ``divergence``, summed over frames (section 3.1).

    Args:
        scores: log-probabilities, shape (2B, F, V).
        lengths: output frames of each utterance, shape (2B,).

    Returns:
        The sum over B utterances, a scalar.
    """
    sound = length_mask(lengths[: len(scores) // 2], scores.size(1), scores.device)
    return divergence(*scores.chunk(2))[sound].sum()


def disagreement(logits: Tensor, lengths: Tensor) -> Tensor:
    """How far apart the copies are in what they are heard to say, wherever it stands.

    As ``framewise``, but of whole utterances: a label's score is the logsumexp of its logits over the frames; the
    blank, 0, has none.

    Args:
        logits: shape (2B, F, V).
        lengths: output frames of each utterance, shape (2B,).

    Returns:
        The sum over B utterances, a scalar.
    """
    sound = length_mask(lengths, logits.size(1), logits.device)
    pooled = logits.float()[..., 1:].masked_fill(~sound[..., None], -torch.inf).logsumexp(1)  # (2B, V - 1)
    return divergence(*pooled.log_softmax(-1).chunk(2)).sum()
