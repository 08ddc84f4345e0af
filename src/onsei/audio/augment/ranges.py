"""A range to draw from, and what may be one."""

from __future__ import annotations

from math import isfinite

from onsei.errors import AudioError

Range = tuple[float, float]
"""Lowest and highest value."""


def ordered(name: str, ends: Range) -> Range:
    """``ends``, checked. Raises AudioError, which names ``name``, unless they are two finite numbers in order."""
    low, high = ends
    if not (isfinite(low) and isfinite(high) and low <= high):
        raise AudioError(f"{name}: expected (low, high), found {ends}", "give two numbers in order")
    return low, high


def factors_of(name: str, ends: Range, neutral: str) -> Range:
    """``ends``, checked to be factors: two numbers above 0 in order. ``neutral`` says what 1 does."""
    low, high = ordered(name, ends)
    if low <= 0:
        raise AudioError(f"{name}: expected numbers above 0, found {ends}", f"1 leaves {neutral} as it is")
    return low, high
