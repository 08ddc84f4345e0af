"""Greedy CTC decoding with the time and the confidence of every label (Graves et al. 2006, section 3.2).

B batch, F frames, V labels (0 is the blank).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True)
class Path:
    """The labels read off one utterance, in order."""

    labels: NDArray[np.int64]
    """Label numbers, shape (L,)."""
    starts: NDArray[np.int64]
    """First frame of each label, shape (L,)."""
    ends: NDArray[np.int64]
    """Frame after the last of each label, shape (L,)."""
    confidences: NDArray[np.float32]
    """Highest probability that the label reaches over its frames, 0 to 1, shape (L,)."""


def greedy(logits: Tensor, lengths: Tensor) -> list[Path]:
    """Take the best label of each frame, join repeats, drop blanks.

    Args:
        logits: shape (B, F, V); log-probabilities do as well.
        lengths: frames of each item, shape (B,).

    Returns:
        One path an item.
    """
    values, labels = torch.softmax(logits.float(), -1).max(-1)
    rows = zip(labels.cpu().numpy(), values.cpu().numpy(), lengths.tolist(), strict=True)
    return [_runs(label[:length], value[:length]) for label, value, length in rows]


def required_frames(labels: list[int]) -> int:
    """Fewest frames in which CTC can write ``labels``: one each, and a blank between equal neighbors."""
    return len(labels) + sum(a == b for a, b in itertools.pairwise(labels))


def _runs(labels: NDArray[np.int64], values: NDArray[np.float32]) -> Path:
    if not len(labels):
        empty = np.zeros(0, np.int64)
        return Path(empty, empty, empty, np.zeros(0, np.float32))
    starts = np.flatnonzero(np.concatenate([[True], labels[1:] != labels[:-1]]))
    ends = np.append(starts[1:], len(labels))
    peaks = np.maximum.reduceat(values, starts)
    kept = labels[starts] != 0
    return Path(labels[starts][kept], starts[kept], ends[kept], peaks[kept])
