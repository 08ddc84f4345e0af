"""Two mel definitions side by side: what does not fit, how to convert, and the conversion itself.

M mel bands, F frames.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import log

import torch
from torch import Tensor

from onsei.errors import ConfigError
from onsei.vocoder.definition import MelDefinition
from onsei.vocoder.mel import NEPERS, filters

_ANALYSIS = {
    "sample_rate": "Hz", "n_fft": "samples", "hop_length": "samples", "win_length": "samples", "n_mels": "bands",
    "f_min": "Hz", "top": "Hz", "scale": "", "quantity": "", "preemphasis": "",
}  # fmt: skip
"""What decides which sound goes into which number: nothing converts it afterwards."""
_WORDS = {"top": "f_max"}
_FAINT = 1e-3


@dataclass(frozen=True)
class Difference:
    """One thing in which mels of a definition are not what is wanted."""

    field: str
    """Name of the definition's field."""
    text: str
    """What is wanted and what was found, in words."""
    mend: str
    """What to do about it."""
    converts: bool
    """Whether ``convert`` does it."""


def compare(wanted: MelDefinition, found: MelDefinition) -> list[Difference]:
    """What keeps mels of ``found`` from being mels of ``wanted``; empty where they are."""
    differences = list(_analysis(wanted, found))
    made_anew = bool(differences)
    return differences + [item for item in _values(wanted, found) if not (made_anew and item.converts)]


def convert(mel: Tensor, found: MelDefinition, wanted: MelDefinition) -> Tensor:
    """A log-mel (…, M, F) of ``found`` as one of ``wanted``, where only logarithm, floor and filters' norm differ.

    Padding and peak are no matter of the numbers: see what ``compare`` says of them.

    Raises:
        ConfigError: another difference.
    """
    left = list(_analysis(wanted, found))
    if left:
        raise ConfigError(f"mel: {left[0].text}", left[0].mend)
    natural = mel * NEPERS[found.log] + _level(wanted, found).to(mel)
    return natural.clamp(min=log(wanted.floor)) / NEPERS[wanted.log]


def _analysis(wanted: MelDefinition, found: MelDefinition) -> Iterator[Difference]:
    for name, unit in _ANALYSIS.items():
        want, have = getattr(wanted, name), getattr(found, name)
        if want == have:
            continue
        word = _WORDS.get(name, name)
        shown = [f"{value:g}" if isinstance(value, (int, float)) else str(value) for value in (want, have)]
        text = f"{word}: expected {shown[0]} {unit}".rstrip() + f", found {shown[1]}"
        yield Difference(name, text, _mend(name, wanted, found), converts=False)


def _mend(name: str, wanted: MelDefinition, found: MelDefinition) -> str:
    if name == "n_mels" and found.n_mels > wanted.n_mels:
        return "bands cannot be merged afterwards: make the mels anew from the sound"
    if name == "hop_length" and found.hop_length and wanted.hop_length % found.hop_length == 0:
        return f"make the mels anew; or train a vocoder of hop {found.hop_length}, which hears more"
    if name == "sample_rate":
        return f"resample the sound to {wanted.sample_rate} Hz and make the mels anew"
    if name == "quantity":
        return "sums of power and of magnitudes do not convert: make the mels anew"
    if name == "preemphasis":
        return f"emphasize the sound by {wanted.preemphasis:g} and make the mels anew"
    return "make the mels anew from the sound"


def _values(wanted: MelDefinition, found: MelDefinition) -> Iterator[Difference]:
    if wanted.log != found.log:
        factor = NEPERS[found.log] / NEPERS[wanted.log]
        text = f"log: expected {wanted.log}, found {found.log}"
        yield Difference("log", text, f"multiply the mels by {factor:.6g}", converts=True)
    if wanted.norm != found.norm:
        text = f"norm: expected {wanted.norm}, found {found.norm}"
        yield Difference("norm", text, "add each band's difference of area: `convert` does", converts=True)
    if wanted.floor > found.floor:
        least = log(wanted.floor) / NEPERS[wanted.log]
        text = f"floor: expected {wanted.floor:g}, found {found.floor:g}"
        yield Difference("floor", text, f"raise what is below {least:.4g} to it", converts=True)
    elif wanted.floor < found.floor:
        text = f"floor: expected {wanted.floor:g}, found {found.floor:g}, which hides what is softer"
        yield Difference("floor", text, "make the mels anew; if soft sound does not matter, leave them", converts=False)
    if abs(wanted.epsilon - found.epsilon) > _FAINT * wanted.floor:
        text = f"epsilon: expected {wanted.epsilon:g}, found {found.epsilon:g}"
        yield Difference("epsilon", text, "soft sound differs: make the mels anew", converts=False)
    if wanted.padding != found.padding:
        yield _shifted(wanted, found)
    if wanted.peak != found.peak:
        yield _leveled(wanted, found)


def _shifted(wanted: MelDefinition, found: MelDefinition) -> Difference:
    late = wanted.start - found.start
    milliseconds = 1000 * abs(late) / wanted.sample_rate
    when = "late" if late > 0 else "early"
    mend = f"cut off its first {late} samples" if late > 0 else f"put {-late} samples of silence before it"
    return Difference(
        "padding",
        f"padding: expected {wanted.padding}, found {found.padding}: sound made of them comes {abs(late)} samples "
        f"({milliseconds:.1f} ms) {when}",
        f"{mend}; to train on pairs with recordings, make the mels anew",
        converts=False,
    )


def _leveled(wanted: MelDefinition, found: MelDefinition) -> Difference:
    shown = ["as recorded" if peak is None else f"{peak:g}" for peak in (wanted.peak, found.peak)]
    if wanted.peak is not None and found.peak is not None:
        step = log(wanted.peak / found.peak) / NEPERS[wanted.log]
        mend = f"add {step:.4g} to the mels"
    elif wanted.peak is None:
        mend = "nothing, if the level does not matter: the sound comes out at that peak"
    else:
        mend = f"bring each recording to the peak {wanted.peak:g} before its mel is taken"
    return Difference("peak", f"peak: expected {shown[0]}, found {shown[1]}", mend, converts=False)


def _level(wanted: MelDefinition, found: MelDefinition) -> Tensor:
    """What to add to each band, in nepers of amplitude: the filters' areas, (M, 1), or 0."""
    if wanted.norm == found.norm:
        return torch.zeros(1, 1)
    areas = [filters(replace(mel, norm=wanted.norm)).sum(1) for mel in (wanted,)]
    areas.append(filters(replace(wanted, norm=found.norm)).sum(1))
    ratio = (areas[0] / areas[1]).log()[:, None]
    return ratio if wanted.quantity == "magnitude" else ratio / 2
