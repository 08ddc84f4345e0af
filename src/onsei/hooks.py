"""What is done when another library is imported later: onsei stays light, that library still knows its classes."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import Any

_WAITING: dict[str, str] = {}


def after_import(module: str, call: str) -> None:
    """Call ``package.module:function`` as soon as ``module`` has been imported; now, if it is.

    Neither is imported for it.
    """
    if module in sys.modules:
        _call(call)
        return
    _WAITING[module] = call
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder(importlib.abc.MetaPathFinder):
    """Lets the other finders find the modules that are waited for, and calls what waits once they are loaded."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname not in _WAITING:
            return None
        call = _WAITING.pop(fullname)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, call)
        return spec


class _Loader(importlib.abc.Loader):
    """The module's own loader, with a call after it."""

    def __init__(self, loader: Any, call: str) -> None:
        self._loader = loader
        self._then = call

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        found: ModuleType | None = self._loader.create_module(spec)
        return found

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        _call(self._then)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)


def _call(call: str) -> None:
    module, _, function = call.partition(":")
    getattr(importlib.import_module(module), function)()
