"""``onsei recognition export``: a recognizer as one ONNX file, from sound to log-probabilities."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import Tensor, nn

from onsei.config import to_dict
from onsei.data.manifest import refuse_existing
from onsei.errors import ConfigError, ModelError
from onsei.hub import tracing
from onsei.paths import written_aside
from onsei.systems.recognition.config import Export
from onsei.systems.recognition.data.front import FrontEnd
from onsei.systems.recognition.exchange.graph import Network, Recognizer
from onsei.systems.recognition.inference import Transcriber
from onsei.systems.recognition.model import DeepSpeech2

_FAR = 1e-3
"""Largest difference of log-probabilities between ONNX Runtime and here that is let pass."""


def export(options: Export) -> None:
    """Write the file, run it where ONNX Runtime is there, and print how far its answers are from ours.

    Raises:
        OnseiError: the library is missing, the model cannot be opened or hears no sound, or the file is there already.
    """
    tracing.check_installed()
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
    found = difference(runner, options.output, options.input)
    if found is None:
        return
    if found > _FAR:
        raise ModelError(f"{options.output}: its log-probabilities are {found:.1e} from ours", "do not use this file")
    print(f"compared in ONNX Runtime: log-probabilities differ by at most {found:.1e}")


def write(network: nn.Module, example: tuple[Tensor, Tensor], names: tuple[str, str], path: Path) -> None:
    """Trace ``network`` on ``example`` and write it; batch and length stay open."""
    time = {"samples": 1, "features": 2}[names[0]]
    outputs = {"log_probs": {0: "batch", 1: "frames"}, "frames": {0: "batch"}}
    inputs = {names[0]: {0: "batch", time: names[0]}, "lengths": {0: "batch"}}
    tracing.write(network, example, path, inputs, outputs)


def describe(path: Path, runner: Transcriber, kind: str) -> None:
    """Put into the file what its outputs mean and what its input must be."""
    hop = round(runner.features.sample_rate * runner.features.window_stride)
    tracing.describe(
        path,
        {
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


def difference(
    runner: Transcriber, path: Path, kind: str, lengths: tuple[float, ...] = (0.4, 1.7, 3.1)
) -> float | None:
    """Largest difference between the log-probabilities of the file and of ``runner``, alone and in a padded batch.

    None where ONNX Runtime is not installed.
    """
    session = tracing.runtime(path)
    if session is None:
        return None
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
