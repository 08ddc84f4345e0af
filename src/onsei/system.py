"""The contract that every system fulfills: System, its verbs, and the Runner that answers for its trained models.

The training half of the contract, the Learner, is in ``onsei.training.learner``: it needs torch, this file does not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar

Request = TypeVar("Request", contravariant=True)
Result = TypeVar("Result")


class Runner(Protocol[Request, Result]):
    """A trained model, ready to answer. The command line, the Python API and a server all call it."""

    @classmethod
    def load(cls, folder: Path, device: str = "auto", dtype: str = "float32") -> Self:
        """Open a model folder. ``device``: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``; ``dtype``: ``float32``,
        ``bfloat16``, ``float16``."""
        ...

    def __call__(self, request: Request) -> Result:
        """Answer one request."""
        ...

    def batch(self, requests: Sequence[Request]) -> list[Result]:
        """Answer many at once: each as it would be answered alone."""
        ...

    def stream(self, request: Request) -> Iterator[Result]:
        """Answer in parts as they become known; the last part is the whole."""
        ...


@dataclass(frozen=True)
class Verb:
    """``onsei GROUP VERB``: a dataclass of options and the function that does the work, both named by import path."""

    name: str
    summary: str
    options: str
    """``module:Class`` made by ``config.options``; imports no torch."""
    run: str
    """``module:function`` taking one instance of it; imported only when the verb runs."""
    recipes: bool = False
    """Whether the first word may be a recipe: a name in the system's ``recipes`` folder, or a YAML file."""


@dataclass(frozen=True)
class System:
    """One system: what it is called, what it can do, and what answers for its trained models."""

    name: str
    summary: str
    verbs: tuple[Verb, ...]
    runner: str
    """``module:Class`` of the Runner."""
    request: str
    """``module:Class`` of the Runner's request, made by ``config.options``."""
    result: str
    """``module:Class`` of the Runner's result, made by ``config.options``."""
    stages: Mapping[str, str] = field(default_factory=dict)
    """Training stages: name → ``module:Class`` of the options that train it."""


def resolve(path: str) -> Any:
    """Import ``module:attribute``."""
    module, _, attribute = path.partition(":")
    return getattr(import_module(module), attribute)
