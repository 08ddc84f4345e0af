"""Trackers: the same numbers as metrics.jsonl, in TensorBoard or Weights & Biases."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor

from onsei.errors import MissingExtraError
from onsei.plots.style import to_array
from onsei.training.options import TrackerName, Training

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Heard:
    """A sound and what is known of it, as a row of a table."""

    name: str
    samples: NDArray[np.float32]
    """Shape (T,), from -1 to 1."""
    rate: int
    """Hz."""
    facts: Mapping[str, str | float]
    """By column; every row of a table has the same."""


class Tracker(Protocol):
    """A place where numbers of a run are shown."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Show ``values`` at ``step``."""
        ...

    def histograms(self, step: int, tensors: Mapping[str, Tensor]) -> None:
        """Show how the values of ``tensors`` are spread at ``step``."""
        ...

    def figure(self, step: int, name: str, figure: Figure) -> None:
        """Show a figure at ``step``."""
        ...

    def sounds(self, step: int, name: str, rows: Sequence[Heard]) -> None:
        """Show sounds with what is known of them at ``step``."""
        ...

    def close(self) -> None:
        """Write out what is left."""
        ...


class TensorBoard:
    """Writes event files for TensorBoard; what an abandoned course wrote past ``step`` is hidden."""

    def __init__(self, folder: Path, step: int) -> None:
        _require("tensorboard", "tensorboard", "--tracker tensorboard")
        from torch.utils.tensorboard import SummaryWriter

        self._writer: Any = SummaryWriter(str(folder), purge_step=step + 1 if step else None)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Show ``values`` at ``step``."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def histograms(self, step: int, tensors: Mapping[str, Tensor]) -> None:
        """Show how the values of ``tensors`` are spread at ``step``; those that are not finite are left out."""
        for name, tensor in tensors.items():
            values = tensor.detach().float().cpu()
            values = values[values.isfinite()]
            if values.numel():
                self._writer.add_histogram(name, values, step)

    def figure(self, step: int, name: str, figure: Figure) -> None:
        """Show a figure at ``step``, on white."""
        self._writer.add_image(name, to_array(figure), step, dataformats="HWC")

    def sounds(self, step: int, name: str, rows: Sequence[Heard]) -> None:
        """Show sounds at ``step``, and what is known of them as a table."""
        for row in rows:
            self._writer.add_audio(f"{name}/{row.name}", torch.from_numpy(row.samples)[None], step, row.rate)
        if rows:
            head = ["sound", *rows[0].facts]
            lines = [head, ["---"] * len(head), *([row.name, *map(str, row.facts.values())] for row in rows)]
            text = "\n".join("| " + " | ".join(_plain(cell) for cell in line) + " |" for line in lines)
            self._writer.add_text(name, text, step)

    def close(self) -> None:
        """Write out what is left."""
        self._writer.close()


class WeightsAndBiases:
    """Logs to Weights & Biases. The ``WANDB_*`` variables win; ``WANDB_MODE=offline`` needs no network."""

    def __init__(self, folder: Path, *, run: str, name: str, resolved: Mapping[str, Any]) -> None:
        wandb = _require("wandb", "wandb", "--tracker wandb")
        self._wandb = wandb
        given = {"project": "onsei", "name": name, "id": run, "resume": "allow", "dir": str(folder)}
        variables = {"id": "WANDB_RUN_ID"}
        free = {k: v for k, v in given.items() if variables.get(k, f"WANDB_{k.upper()}") not in os.environ}
        self._run: Any = wandb.init(config=dict(resolved), **free)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Show ``values`` at ``step``."""
        self._run.log(dict(values), step=step)

    def histograms(self, step: int, tensors: Mapping[str, Tensor]) -> None:
        """Show how the values of ``tensors`` are spread at ``step``; those that are not finite are left out."""
        values = {name: tensor.detach().float().cpu() for name, tensor in tensors.items()}
        values = {name: v[v.isfinite()] for name, v in values.items()}
        charts = {name: self._wandb.Histogram(v.numpy()) for name, v in values.items() if v.numel()}
        self._run.log(charts, step=step)

    def figure(self, step: int, name: str, figure: Figure) -> None:
        """Show a figure at ``step``, on white."""
        self._run.log({name: self._wandb.Image(to_array(figure))}, step=step)

    def sounds(self, step: int, name: str, rows: Sequence[Heard]) -> None:
        """Show a table of sounds at ``step``."""
        if rows:
            audio = self._wandb.Audio
            lines = [[row.name, *row.facts.values(), audio(row.samples, sample_rate=row.rate)] for row in rows]
            table = self._wandb.Table(columns=["name", *rows[0].facts, "sound"], data=lines)
            self._run.log({name: table}, step=step)

    def close(self) -> None:
        """Write out what is left."""
        self._run.finish()


def open_trackers(
    training: Training, folder: Path, *, run: str, step: int, resolved: Mapping[str, Any]
) -> Sequence[Tracker]:
    """The trackers that the options ask for.

    Raises:
        MissingExtraError: a tracker's library is not installed.
    """
    name = training.id or folder.resolve().name
    place = Path(training.log_dir) / name if training.log_dir else folder / "tensorboard"
    kinds = dict.fromkeys(training.tracker)
    return [_opened(kind, folder, place, run=run, name=name, step=step, resolved=resolved) for kind in kinds]


def open_after(kinds: Sequence[TrackerName], folder: Path, *, name: str, resolved: Mapping[str, Any]) -> list[Tracker]:
    """Trackers for what is done with a model after its training: a run of its own. Errors as in ``open_trackers``."""
    run, place = uuid.uuid4().hex[:12], folder / "tensorboard" / name
    found = dict.fromkeys(kinds)
    return [_opened(kind, folder, place, run=run, name=name, step=0, resolved=resolved) for kind in found]


def _opened(
    kind: TrackerName, folder: Path, place: Path, *, run: str, name: str, step: int, resolved: Mapping[str, Any]
) -> Tracker:
    if kind == "tensorboard":
        return TensorBoard(place, step)
    return WeightsAndBiases(folder, run=run, name=name, resolved=resolved)


def _plain(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def _require(library: str, extra: str, purpose: str) -> Any:
    try:
        return import_module(library)
    except ImportError as error:
        raise MissingExtraError(library, extra, purpose) from error
