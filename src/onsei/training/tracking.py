"""Trackers: the same numbers as metrics.jsonl, in TensorBoard or Weights & Biases."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor

from onsei.errors import MissingExtraError
from onsei.training.options import Training


class Tracker(Protocol):
    """A place where numbers of a run are shown."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Show ``values`` at ``step``."""
        ...

    def histograms(self, step: int, tensors: Mapping[str, Tensor]) -> None:
        """Show how the values of ``tensors`` are spread at ``step``."""
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
    trackers: list[Tracker] = []
    for kind in dict.fromkeys(training.tracker):
        if kind == "tensorboard":
            place = Path(training.log_dir) / name if training.log_dir else folder / "tensorboard"
            trackers.append(TensorBoard(place, step))
        else:
            trackers.append(WeightsAndBiases(folder, run=run, name=name, resolved=resolved))
    return trackers


def _require(library: str, extra: str, purpose: str) -> Any:
    try:
        return import_module(library)
    except ImportError as error:
        raise MissingExtraError(library, extra, purpose) from error
