"""How much discovered units say: use, bitrate, agreement with phones (purity, PNMI), and the ABX test.

N frames, U units, P phones, n m frames of two tokens, D features.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import ArrayLike, NDArray

from onsei.data.row import Phone

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
NONE = -1
"""The phone of frames that lie in none."""


@dataclass(frozen=True)
class Use:
    """What a sequence of units costs, whatever it means."""

    used: int
    """Units that occur."""
    perplexity: float
    """Exponential of the entropy of the frames' units: how many there would be, if all were used alike."""
    rate: float
    """Units a second, repeats taken together."""
    bitrate: float
    """Bits a second: rate times the entropy of what is left when repeats are taken together."""
    duration: float
    """Mean seconds of a unit."""


@dataclass(frozen=True)
class Agreement:
    """How units and phones of the same frames go together."""

    pnmi: float
    """Mutual information of unit and phone, as a share of the phones' entropy (Hsu et al. 2021, section 3.3)."""
    phone_purity: float
    """Share of frames whose phone is the commonest of their unit."""
    cluster_purity: float
    """Share of frames whose unit is the commonest of their phone."""
    nmi: float
    """Twice the mutual information over the sum of both entropies: units that are too many lose."""
    frames: int
    """Frames that were counted."""


def collapsed(units: ArrayLike) -> tuple[Ints, Ints]:
    """Units (N,) with repeats taken together, and the frames of each."""
    x = np.asarray(units, dtype=np.int64)
    starts = np.flatnonzero(np.diff(x, prepend=x[:1] - 1)) if len(x) else np.zeros(0, np.int64)
    return x[starts], np.diff(np.append(starts, len(x)))


def entropy(counts: ArrayLike) -> float:
    """Entropy in bits of a distribution given by its counts."""
    shares = np.asarray(counts, dtype=np.float64)
    shares = shares[shares > 0] / max(shares.sum(), 1e-300)
    return float(max(0.0, -(shares * np.log2(shares)).sum()))


def use(clips: Iterable[ArrayLike], frame_seconds: float) -> Use:
    """Of the units of clips, (N,) each."""
    frames: dict[int, int] = {}
    runs: dict[int, int] = {}
    for clip in clips:
        x = np.asarray(clip, dtype=np.int64)
        for found, into in ((x, frames), (collapsed(x)[0], runs)):
            for unit, count in zip(*np.unique(found, return_counts=True), strict=True):
                into[int(unit)] = into.get(int(unit), 0) + int(count)
    seconds = sum(frames.values()) * frame_seconds
    total = sum(runs.values())
    rate = total / seconds if seconds else 0.0
    return Use(
        used=len(frames),
        perplexity=2 ** entropy(list(frames.values())) if frames else 0.0,
        rate=rate,
        bitrate=rate * entropy(list(runs.values())),
        duration=seconds / total if total else 0.0,
    )


def agreement(units: ArrayLike, phones: ArrayLike) -> Agreement:
    """Of units and phones of the same frames, (N,) each; frames of the phone ``NONE`` are not counted."""
    u, p = np.asarray(units, dtype=np.int64), np.asarray(phones, dtype=np.int64)
    u, p = u[p != NONE], p[p != NONE]
    if not len(p):
        return Agreement(*(float("nan"),) * 4, 0)
    _, u = np.unique(u, return_inverse=True)
    _, p = np.unique(p, return_inverse=True)
    joint = np.zeros((int(u.max()) + 1, int(p.max()) + 1))
    np.add.at(joint, (u, p), 1)
    of_units, of_phones = entropy(joint.sum(1)), entropy(joint.sum(0))
    shared = max(0.0, of_units + of_phones - entropy(joint))
    return Agreement(
        pnmi=shared / of_phones if of_phones else float("nan"),
        phone_purity=float(joint.max(1).sum() / len(p)),
        cluster_purity=float(joint.max(0).sum() / len(p)),
        nmi=2 * shared / (of_units + of_phones) if of_units + of_phones else float("nan"),
        frames=len(p),
    )


def frame_phones(
    phones: Sequence[Phone], frames: int, numbers: dict[str, int], *, frame_seconds: float, first: float
) -> Ints:
    """The phone of each frame's middle, (frames,): ``NONE`` where there is none.

    Args:
        phones: aligned phones.
        frames: how many.
        numbers: numbers of phones; new ones are added.
        frame_seconds: from one frame to the next.
        first: the middle of the first frame, in seconds.
    """
    places = first + frame_seconds * np.arange(frames)
    found = np.full(frames, NONE, dtype=np.int64)
    for phone in phones:
        if phone.start is not None and phone.end is not None:
            number = numbers.setdefault(phone.symbol, len(numbers))
            found[(places >= phone.start) & (places < phone.end)] = number
    return found


@dataclass(frozen=True)
class Token:
    """One spoken phone, for the ABX test."""

    features: NDArray[np.float32]
    """Frames, (n, D); units as one-hot frames."""
    phone: str
    group: str = ""
    """What A, B and X share: a speaker, and phones before and after."""


def distance(x: ArrayLike, y: ArrayLike) -> float:
    """Cosine distance of two tokens, (n, D) and (m, D), along their best alignment (dynamic time warping), as the mean
    over its steps. The angle counts, in parts of a straight one: 0 to 1."""
    a, b = _normal(x), _normal(y)
    apart = np.arccos(np.clip(a @ b.T, -1, 1)) / np.pi
    total = np.full((len(a) + 1, len(b) + 1), np.inf)
    steps = np.zeros(total.shape)
    total[0, 0] = 0
    for i in range(1, len(a) + 1):
        for j in range(1, len(b) + 1):
            before = min(((i - 1, j - 1), (i - 1, j), (i, j - 1)), key=lambda at: total[at])
            total[i, j] = total[before] + apart[i - 1, j - 1]
            steps[i, j] = steps[before] + 1
    return float(total[-1, -1] / steps[-1, -1])


def abx(tokens: Sequence[Token], *, most: int = 10, seed: int = 0) -> float:
    """Error of the ABX test in percent: how often X, of A's phone, lies nearer to B of another phone (Schatz 2013).

    Every pair of phones of a group counts alike, and every group; ties are half an error.

    Args:
        tokens: spoken phones.
        most: tokens of a phone and group that are taken, at random.
        seed: of that choice.

    Returns:
        0 to 100; 50 is chance; nan where no group has two phones of which one has two tokens.
    """
    random = np.random.default_rng(seed)
    scores: dict[tuple[str, str], list[float]] = {}
    ordered = sorted(tokens, key=lambda token: token.group)
    for _, group in groupby(ordered, key=lambda token: token.group):
        by_phone: dict[str, list[Token]] = {}
        for token in group:
            by_phone.setdefault(token.phone, []).append(token)
        names = sorted(by_phone)
        chosen = {n: [by_phone[n][i] for i in random.permutation(len(by_phone[n]))[:most]] for n in names}
        flat = [token for name in names for token in chosen[name]]
        apart = np.zeros((len(flat), len(flat)))
        for i, one in enumerate(flat):
            for j in range(i):
                apart[i, j] = apart[j, i] = distance(one.features, flat[j].features)
        owner = np.array([token.phone for token in flat])
        for name in names:
            same = np.flatnonzero(owner == name)
            if len(same) < 2:
                continue
            for other in names:
                if other != name:
                    error = _error(apart, same, np.flatnonzero(owner == other))
                    scores.setdefault((name, other), []).append(error)
    return 100 * float(np.mean([np.mean(found) for found in scores.values()])) if scores else float("nan")


def _error(apart: Floats, same: Ints, other: Ints) -> float:
    wrong, count = 0.0, 0
    for x in same:
        near = apart[x, same[same != x]][:, None]
        far = apart[x, other][None]
        wrong += float((near > far).sum() + 0.5 * (near == far).sum())
        count += near.size * far.size
    return wrong / count


def _normal(x: ArrayLike) -> Floats:
    array = np.asarray(x, dtype=np.float64)
    normal: Floats = array / np.maximum(np.linalg.norm(array, axis=1, keepdims=True), 1e-12)
    return normal
