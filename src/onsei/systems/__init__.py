"""The systems, one folder each; a further one is a folder and a word here."""

from __future__ import annotations

from importlib import import_module
from typing import cast

from onsei.system import System

NAMES = ("recognition",)


def systems() -> tuple[System, ...]:
    """Every system, in the order in which help lists them. Imports no torch."""
    return tuple(cast(System, import_module(f"{__name__}.{name}").SYSTEM) for name in NAMES)
