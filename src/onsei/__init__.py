"""onsei: six audio deep-learning systems under one roof, each from raw recordings to a model that answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from onsei import hooks, systems

__version__ = "0.1.0"
__all__ = ["__version__", "load", "systems"]

_STOCK = "onsei.systems.classification.stock"
for _part, _file in {
    "configuration": "configuration",
    "feature_extraction": "extraction",
    "modeling": "modeling",
}.items():
    hooks.after_import(f"transformers.models.auto.{_part}_auto", f"{_STOCK}.{_file}:register")


def load(model: str | Path, *, device: str = "auto", dtype: str = "float32", revision: str | None = None) -> Any:
    """Open a trained model, whichever system wrote it.

    Args:
        model: a model folder, or a Hub repository id (``user/name``).
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
        dtype: ``float32``, ``bfloat16`` or ``float16``.
        revision: branch, tag or commit of a Hub repository.

    Returns:
        The system's Runner: call it with a request, or use its ``batch`` and ``stream``.

    Raises:
        ModelError: there is no such model, or it is damaged, or made by a newer onsei.
    """
    from onsei.hub import store
    from onsei.system import resolve

    opened = store.open(model, revision=revision)
    found = {system.name: system for system in systems.systems()}.get(opened.system)
    if found is None:
        from onsei.errors import ModelError

        known = ", ".join(system.name for system in systems.systems())
        raise ModelError(f"{opened.path}: made by the system {opened.system!r}; this onsei has {known}", "update onsei")
    return resolve(found.runner).load(opened.path, device=device, dtype=dtype)
