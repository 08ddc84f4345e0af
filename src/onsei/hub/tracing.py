"""Networks as ONNX files: written, described, and opened by ONNX Runtime. The door to both libraries."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from onsei import __version__
from onsei.errors import MissingExtraError

_OPSET = 17
Axes = Mapping[str, Mapping[int, str]]
"""Inputs or outputs by name, with the names of those of their axes that stay open."""


def check_installed() -> None:
    """Before anything is computed.

    Raises:
        MissingExtraError: onnx is not there.
    """
    if find_spec("onnx") is None:
        raise MissingExtraError("onnx", "onnx", "export to ONNX")


def write(network: nn.Module, example: tuple[Tensor, ...], path: Path, inputs: Axes, outputs: Axes) -> None:
    """Trace ``network`` on ``example`` and write it to ``path``."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    try:
        logger.setLevel(logging.ERROR)
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # of tracing: what becomes constant here is constant
            torch.onnx.export(
                network,
                example,
                str(path),
                input_names=list(inputs),
                output_names=list(outputs),
                dynamic_axes={name: dict(axes) for name, axes in {**inputs, **outputs}.items()},
                opset_version=_OPSET,
                dynamo=False,  # its successor unrolls recurrent layers that read backward
            )
    finally:
        logger.setLevel(level)


def describe(path: Path, facts: Mapping[str, str]) -> None:
    """Put into the file what its outputs mean and what its input must be, and this version."""
    import onnx

    graph = onnx.load(str(path))
    onnx.helper.set_model_props(graph, {"onsei": __version__, **facts})
    onnx.save(graph, str(path))


def runtime(path: Path) -> Any:
    """A session of ONNX Runtime on the CPU; None where that is not installed, which is told."""
    if find_spec("onnxruntime") is None:
        print("not compared with this model's own answers: install onnxruntime (`onsei[onnx]`) for that")
        return None
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = min(4, os.cpu_count() or 1)
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
