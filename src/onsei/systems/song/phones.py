"""Rows of Japanese phones that nobody trained begin as the mean of their nearest trained ones."""

from __future__ import annotations

import torch

from onsei.systems.song.model import SongNetwork
from onsei.text.phones import UNTRAINED, Phones

_TONES = "12345"
_VOWELS = {"a": "a", "i": "i", "u": "u", "e": "ei", "o": "o", "I": "i", "U": "u"}
"""Chinese finals whose vowel is nearest."""
_OTHERS = {
    "cl": ("SP",), "r": ("l", "R"), "ts": ("c",), "v": ("V",), "dy": ("d", "Y"), "by": ("b", "Y"), "gy": ("g", "Y"),
    "hy": ("h", "Y"), "ky": ("k", "Y"), "my": ("m", "Y"), "ny": ("n", "Y"), "py": ("p", "Y"), "ry": ("l", "Y"),
}  # fmt: skip
"""Consonants: the sounds that they are made of."""


def nearest(phone: str) -> tuple[str, ...]:
    """Symbols of the released table that sound like an untrained Japanese ``phone``; none where nothing does."""
    if phone in _VOWELS:
        return tuple(_VOWELS[phone] + tone for tone in _TONES)
    return _OTHERS.get(phone, ())


@torch.no_grad()
def begin(network: SongNetwork, phones: Phones) -> tuple[str, ...]:
    """Give the rows of untrained phones the mean of their nearest; returns the phones that were given one."""
    table = network.get_parameter("condition_provider.conditioners.lyrics.output_proj.weight")
    changed = []
    for phone in UNTRAINED:
        rows = [phones.rows[symbol] for symbol in nearest(phone) if symbol in phones.rows]
        if rows and phone in phones.rows:
            table[phones.rows[phone]] = table[rows].mean(0)
            changed.append(phone)
    return tuple(changed)
