"""Clips to look at and listen to, and the matrix of classes whose cells choose among them, as HTML."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from typing import Any

import matplotlib
import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from onsei.plots import levels
from onsei.plots.sound import mono, mp3_bytes

SCRIPT = "gallery.js"
ALL, RIGHT, WRONG = "all", "right", "wrong"
"""Tokens of every clip, and of those named rightly and wrongly."""
_COLUMNS, _BANDS, _SHADES = 320, 64, 40
_RANGE = 80.0
_WINDOW = 0.04
"""Seconds; the window is the next power of two longer."""
_MOST_CLASSES = 60


@dataclass(frozen=True)
class Clip:
    """One sound that a classifier named."""

    name: str
    truth: str
    """The class that it is of."""
    scores: Sequence[tuple[str, float]]
    """The likeliest classes with their probabilities, best first."""
    samples: ArrayLike
    """Shape (T,) or (T, C), from -1 to 1; what is heard and shown of it."""
    rate: int
    """Hz."""
    tokens: Sequence[str] = ()
    """What buttons choose it by; words without spaces."""
    note: str = ""
    """Written under it."""

    @property
    def right(self) -> bool:
        """Whether it was named rightly."""
        return bool(self.scores) and self.scores[0][0] == self.truth


@dataclass(frozen=True)
class Show:
    """A button that leaves only some clips of the gallery in view."""

    text: str
    tokens: Sequence[str]
    """A clip that has one of these stays."""
    told: str = ""
    """What is said above the gallery then."""
    share: float = 0.0
    """How deep its color is, 0..1."""
    good: bool = False


def cell(first: int, second: int) -> str:
    """Token of the clips of class ``first`` that were taken for ``second``."""
    return f"c{first}-{second}"


def button(show: Show) -> str:
    """The button as HTML."""
    kind = "good" if show.good else "bad"
    told = f' title="{escape(show.told)}" data-told="{escape(show.told)}"' if show.told else ""
    return (
        f'<button type="button" class="show {kind}" data-show="{escape(" ".join(show.tokens))}"{told} '
        f'style="--share:{show.share:.3f}">{escape(show.text)}</button>'
    )


def card(clip: Clip) -> str:
    """A clip: what it is, what it was taken for, its mel spectrogram, a player and bars of the likeliest classes.

    Raises:
        DataError: the sound is empty or not finite.
    """
    sound = mono(clip.samples, clip.rate)
    content = mp3_bytes(sound, clip.rate)
    tokens = " ".join([ALL, RIGHT if clip.right else WRONG, *clip.tokens])
    guess = clip.scores[0][0] if clip.scores else "–"
    verdict = (
        f'<b class="good">{escape(clip.truth)}</b>'
        if clip.right
        else f'<b>{escape(clip.truth)}</b> taken for <b class="wrong">{escape(guess)}</b>'
    )
    bars = "".join(bar(label, score, good=label == clip.truth) for label, score in clip.scores)
    note = f'<p class="note">{escape(clip.note)}</p>' if clip.note else ""
    return (
        f'<article class="clip" data-tokens="{escape(tokens)}"><p class="verdict">{verdict}</p>'
        f'<div class="mel" data-seconds="{len(sound) / clip.rate:.4f}">'
        f'<img alt="mel spectrogram of {escape(clip.name)}" src="{_data("image/png", picture(sound, clip.rate))}" '
        'draggable="false"><i></i></div>'
        f'<audio controls preload="none" src="{_data("audio/mpeg", content)}"></audio>'
        f'<div class="scores">{bars}</div><p class="name">{escape(clip.name)}</p>{note}</article>'
    )


def bar(label: str, share: float, *, good: bool = False) -> str:
    """A named bar of a share, 0..1."""
    kind = ' class="good"' if good else ""
    return (
        f'<div{kind}><span>{escape(label)}</span><i><b style="width:{100 * min(max(share, 0.0), 1.0):.1f}%"></b></i>'
        f"<span>{100 * share:.1f} %</span></div>"
    )


def gallery(cards: Sequence[str], choices: Sequence[Show] = ()) -> str:
    """All clips, in a frame of their own, under buttons that choose among them."""
    buttons = "".join(button(choice) for choice in choices)
    return (
        f'<div class="gallery"><p class="choices">{buttons}<output aria-live="polite"></output></p>'
        f'<div class="clips">{"".join(cards)}</div></div>'
    )


def fitted(clips: Iterable[Clip], budget: int) -> list[str]:
    """Cards of the first of ``clips`` that have room in ``budget`` bytes; no more sounds are read than that."""
    cards: list[str] = []
    for clip in clips:
        made = card(clip)
        budget -= len(made.encode())
        if budget < 0:
            break
        cards.append(made)
    return cards


def matrix(labels: Sequence[str], counts: NDArray[np.int64]) -> str:
    """The matrix of classes, (C, C), as a table whose filled cells are buttons.

    Of many classes those with the most clips named wrongly are shown, and the rest is told.
    """
    counts = np.asarray(counts)
    wrong = counts.sum(0) + counts.sum(1) - 2 * np.diag(counts)
    kept = sorted(np.argsort(-wrong, kind="stable")[:_MOST_CLASSES].tolist())
    head = "".join(f'<th scope="col"><span>{escape(labels[j])}</span></th>' for j in kept)
    rows = "".join(
        f'<tr><th scope="row">{escape(labels[i])}</th>' + "".join(_filled(labels, counts, i, j) for j in kept) + "</tr>"
        for i in kept
    )
    left = len(labels) - len(kept)
    more = f"<p>{left} more classes have fewer clips named wrongly and are left out.</p>" if left else ""
    return (
        f'<div class="table matrix"><table><thead><tr><th class="corner">is ↓ taken for →</th>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>{more}"
    )


def picture(samples: NDArray[np.float32], rate: int) -> bytes:
    """Mel spectrogram of samples, shape (T,), as a small PNG without axes: its width is the time."""
    hop = max(64, -(-len(samples) // _COLUMNS))
    n_fft = max(512, 1 << round(_WINDOW * rate).bit_length())
    found = levels.mel(samples, rate, n_mels=_BANDS, n_fft=n_fft, hop_length=hop, db_range=_RANGE).decibels
    shades = np.round((found[::-1] / _RANGE + 1) * (_SHADES - 1)).astype(np.uint8)
    image = Image.fromarray(np.ascontiguousarray(shades), mode="P")
    image.putpalette(_palette())
    stream = io.BytesIO()
    image.save(stream, "PNG", optimize=True)
    return stream.getvalue()


@cache
def _palette() -> bytes:
    colors: Any = matplotlib.colormaps["magma"](np.linspace(0, 1, _SHADES))
    return bytes(np.round(colors[:, :3] * 255).astype(np.uint8).tobytes())


def _filled(labels: Sequence[str], counts: NDArray[np.int64], i: int, j: int) -> str:
    count, total = int(counts[i, j]), int(counts[i].sum())
    if not count:
        return "<td></td>"
    told = f"{labels[i]}: {count} of {total} " + ("named rightly" if i == j else f"taken for {labels[j]}")
    return f"<td>{button(Show(str(count), [cell(i, j)], told, count / total, i == j))}</td>"


def _data(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
