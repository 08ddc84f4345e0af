"""``onsei recognition export``: a recognizer as one ONNX file, from sound to log-probabilities. The door to ONNX."""

from __future__ import annotations

import json
import logging
import os
import warnings
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn

from onsei import __version__
from onsei.config import to_dict
from onsei.data.manifest import refuse_existing
from onsei.errors import ConfigError, MissingExtraError, ModelError
from onsei.paths import written_aside
from onsei.systems.recognition.config import Export
from onsei.systems.recognition.data.front import FrontEnd
from onsei.systems.recognition.exchange.graph import Network, Recognizer
from onsei.systems.recognition.inference import Transcriber
from onsei.systems.recognition.model import DeepSpeech2

_OPSET = 17
_FAR = 1e-3
"""Largest difference of log-probabilities between ONNX Runtime and here that is let pass."""


def export(options: Export) -> None:
    """Write the file, run it where ONNX Runtime is there, and print how far its answers are from ours.

    Raises:
        OnseiError: the library is missing, the model cannot be opened or hears no sound, or the file is there already.
    """
    if find_spec("onnx") is None:
        raise MissingExtraError("onnx", "onnx", "export to ONNX")
    refuse_existing([options.output], options.force)
    runner = Transcriber.load(options.model, "cpu")
    if not isinstance(runner.model, DeepSpeech2):
        raise ConfigError(
            f"{options.model}: a pretrained encoder; export writes DeepSpeech2 only",
            "its folder is one of transformers too: tools that export those (optimum) take it",
        )
    if options.input == "sound" and runner.features.kind == "precomputed":
        raise ConfigError("this model hears no sound but precomputed features", "export with --input features")
    if options.input == "sound" and runner.features.silence:
        raise ConfigError(
            "this model cuts silence off, so that its frames' times depend on the sound", "export with --input features"
        )
    example, names = _example(runner, options.input, [1.3, 0.9])
    network: nn.Module = Network(runner.model)
    if options.input == "sound":
        network = Recognizer(runner.model, FrontEnd(runner.features))
    with written_aside(options.output) as aside:
        write(network.eval(), example, names, aside)
        describe(aside, runner, options.input)
    size = options.output.stat().st_size / 2**20
    print(f"wrote {options.output}: {size:.1f} MiB, from {names[0]} and lengths to log_probs and frames")
    if find_spec("onnxruntime") is None:
        print("not compared with this model's own answers: install onnxruntime (`onsei[onnx]`) for that")
        return
    found = difference(runner, options.output, options.input)
    if found > _FAR:
        raise ModelError(f"{options.output}: its log-probabilities are {found:.1e} from ours", "do not use this file")
    print(f"compared in ONNX Runtime: log-probabilities differ by at most {found:.1e}")


def write(network: nn.Module, example: tuple[Tensor, Tensor], names: tuple[str, str], path: Path) -> None:
    """Trace ``network`` on ``example`` and write it; batch and length stay open."""
    time = {"samples": 1, "features": 2}[names[0]]
    axes = {names[0]: {0: "batch", time: names[0]}, "lengths": {0: "batch"}, "frames": {0: "batch"}}
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
                input_names=list(names),
                output_names=["log_probs", "frames"],
                dynamic_axes={**axes, "log_probs": {0: "batch", 1: "frames"}},
                opset_version=_OPSET,
                dynamo=False,  # its successor unrolls recurrent layers that read backward
            )
    finally:
        logger.setLevel(level)


def describe(path: Path, runner: Transcriber, kind: str) -> None:
    """Put into the file what its outputs mean and what its input must be."""
    import onnx

    graph = onnx.load(str(path))
    hop = round(runner.features.sample_rate * runner.features.window_stride)
    onnx.helper.set_model_props(
        graph,
        {
            "onsei": __version__,
            "input": kind,
            "labels": json.dumps(runner.alphabet.labels, ensure_ascii=False),
            "blank": "0",
            "units": runner.alphabet.units,
            "case": runner.alphabet.case,
            "sample_rate": str(runner.features.sample_rate),
            "frame_seconds": repr(runner.options.time_stride * hop / runner.features.sample_rate),
            "features": json.dumps(to_dict(runner.features)),
        },
    )
    onnx.save(graph, str(path))


def difference(runner: Transcriber, path: Path, kind: str, lengths: tuple[float, ...] = (0.4, 1.7, 3.1)) -> float:
    """Largest difference between the log-probabilities of the file and of ``runner``, alone and in a padded batch."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = min(4, os.cpu_count() or 1)
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    worst = 0.0
    for seconds in ([length] for length in lengths), [list(lengths)]:
        for batch in seconds:
            (values, counts), (name, _) = _example(runner, kind, batch)
            given = {name: values.numpy(), "lengths": counts.numpy()}
            scores, frames = session.run(["log_probs", "frames"], given)
            for row, want in enumerate(_ours(runner, values, counts, kind)):
                if int(frames[row]) != len(want):
                    return float("inf")
                worst = max(worst, float((torch.from_numpy(scores[row, : len(want)]) - want).abs().max()))
    return worst


def _ours(runner: Transcriber, values: Tensor, counts: Tensor, kind: str) -> list[Tensor]:
    rows = [row[..., :count] for row, count in zip(values, counts.tolist(), strict=True)]
    if kind == "sound":
        return [torch.from_numpy(scores) for scores in runner.log_probs([row.numpy() for row in rows])]
    return [runner.scores(row[None], torch.tensor([row.shape[-1]]))[0] for row in rows]


def _example(runner: Transcriber, kind: str, seconds: list[float]) -> tuple[tuple[Tensor, Tensor], tuple[str, str]]:
    """A padded batch of noise: samples (B, N) or features (B, D, T), and how much of each item is real."""
    torch.manual_seed(len(seconds))
    rate = runner.features.sample_rate if kind == "sound" else round(1 / runner.features.window_stride)
    counts = torch.tensor([max(2, round(s * rate)) for s in seconds])
    shape = (len(seconds), *(() if kind == "sound" else (runner.features.bins,)), int(counts.max()))
    scale = 0.1 if kind == "sound" else 1.0
    values = scale * torch.randn(shape) * torch.linspace(0.1, 1.0, shape[-1])
    return (values, counts), (("samples" if kind == "sound" else "features"), "lengths")
