"""The systems, one folder each; a further one is a folder and a word here."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import cast

from onsei.system import System

NAMES = ("recognition", "classification", "articulation", "vocoder", "translation", "song")


def systems() -> tuple[System, ...]:
    """Every system, in the order in which help lists them. Imports no torch."""
    return tuple(cast(System, import_module(f"{__name__}.{name}").SYSTEM) for name in NAMES)


class _Systems(ModuleType):
    """This package may be called, as ``onsei.systems()``, and still be imported from."""

    def __call__(self) -> tuple[System, ...]:
        return systems()


sys.modules[__name__].__class__ = _Systems
