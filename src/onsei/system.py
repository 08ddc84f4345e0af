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
    section: str = ""
    """Of systems whose recipes have a section a stage: the one that this verb reads; empty: the whole recipe."""


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
    example: str
    """``module:function`` that makes an Example in a folder."""
    stages: Mapping[str, str] = field(default_factory=dict)
    """Training stages, the first one first: verb → ``module:Class`` of its options."""


@dataclass(frozen=True)
class Example:
    """A tiny case that a system brings: it proves in seconds that the system learns, resumes and answers."""

    train: Any
    """Options of the first stage, ready to run."""
    control: Any
    """The same with what could be learned taken away: it must fail."""
    learned: float
    """Value of the monitored metric that training reaches and the control never does."""
    requests: tuple[Any, ...]
    """Requests for the trained model."""
    words: tuple[str, ...]
    """Command line that prints the result of the first request as JSON; ``{model}`` stands for the model folder."""


def resolve(path: str) -> Any:
    """Import ``module:attribute``."""
    module, _, attribute = path.partition(":")
    return getattr(import_module(module), attribute)
