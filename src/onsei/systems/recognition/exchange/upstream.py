"""Checkpoints of deepspeech.pytorch, of both its generations, understood as options, labels and weights of ours."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from onsei.config import from_dict
from onsei.errors import ConfigError, ModelError
from onsei.hub import checkpoints
from onsei.hub.pickles import Record
from onsei.systems.recognition.config import Features, Model
from onsei.systems.recognition.model import DeepSpeech2
from onsei.text.alphabet import BLANK, Alphabet, Case

_GATES = {4: "lstm", 3: "gru", 1: "rnn"}
"""Rows of a recurrent layer's matrices, in units, by kind."""
_TAKEN = {"state_dict", "hyper_parameters", "hparams", "labels", "audio_conf", "rnn_type", "hidden_size",
          "hidden_layers", "bidirectional"}  # fmt: skip
_HEAVY = ("optim_dict", "optimizer_states", "lr_schedulers", "amp", "callbacks", "loops")
_SHOWN = 20
_MOST_LAYERS = 100


@dataclass(frozen=True)
class Checkpoint:
    """A network of deepspeech.pytorch with all that is needed to use it here."""

    generation: str
    """Which version of deepspeech.pytorch wrote it."""
    features: Features
    model: Model
    alphabet: Alphabet
    weights: dict[str, Tensor]
    """By our names, which are theirs; in 32 bits."""
    history: dict[str, Any]
    """How it was trained, as far as it says."""
    remarks: tuple[str, ...]
    """What was assumed or left behind, one sentence each."""


def understand(content: Any, path: Path, labels: Sequence[str] | None = None) -> Checkpoint:
    """What ``onsei.hub.checkpoints.read(path)`` gave, as a network of ours.

    Args:
        content: the checkpoint.
        path: its file, for errors.
        labels: output labels, where the checkpoint has none.

    Raises:
        ModelError: it is none of deepspeech.pytorch, or its parts do not fit together; all mismatches are listed.
    """
    try:
        return _understood(content, path, labels)
    except (ArithmeticError, AttributeError, IndexError, RuntimeError, TypeError, ValueError) as error:
        # Values of kinds that no version of theirs wrote.
        reason = f"{type(error).__name__}: {str(error)[:200]}"
        raise ModelError(f"{path}: its content makes no sense ({reason})", "get the file from its source") from None


def _understood(content: Any, path: Path, labels: Sequence[str] | None) -> Checkpoint:
    state = _state_dict(content, path)
    lightning = "pytorch-lightning_version" in content or "hyper_parameters" in content
    said = _said(content)
    remarks: list[str] = []
    features = _features(said, path, remarks)
    model = _model(state, said, path)
    names = labels if labels is not None else _labels(said, path)
    count = len(state["fc.0.module.1.weight"])
    if len(names) != count:
        source = "--labels-path" if labels is not None else "the checkpoint's labels"
        raise ModelError(f"{path}: {source} has {len(names)} labels, the network has {count} outputs", "give its own")
    weights = _fitting(state, model, features, len(names), path)
    names = _blank_first(names, weights, path, remarks)
    try:
        alphabet = Alphabet(tuple(names), _case(names))
    except ConfigError as error:
        raise ModelError(f"{path}: {error.message}", "such labels are not supported") from None
    left = [name for name in _HEAVY if isinstance(content.get(name), (dict, list)) and content[name]]
    if left:
        remarks.append(f"left behind: {', '.join(left)} (training starts anew with the weights)")
    generation = "2022 (Lightning)" if lightning else "2020 (package)" if "labels" in content else "weights alone"
    return Checkpoint(
        generation, features, model, alphabet, weights, _history(content, generation, path), tuple(remarks)
    )


def _state_dict(content: Any, path: Path) -> dict[str, Tensor]:
    """The network's tensors without the prefixes that wrappers (DataParallel, a model in a model) put before them."""
    inside = content.get("state_dict", content) if isinstance(content, dict) else None
    mend = "expected a checkpoint of deepspeech.pytorch, with a state_dict whose names begin with conv, rnns and fc"
    if not isinstance(inside, dict) or not all(isinstance(name, str) for name in inside):
        raise ModelError(f"{path}: no state_dict in it, but {_kind(content)}", mend)
    first = next((name for name in inside if name.endswith("conv.seq_module.0.weight")), None)
    if first is None:
        shown = ", ".join(map(str, list(inside)[:5])) or "nothing"
        raise ModelError(f"{path}: no network of deepspeech.pytorch: its state_dict holds {shown[:300]} …", mend)
    prefix = first.removesuffix("conv.seq_module.0.weight")
    found = {name.removeprefix(prefix): value for name, value in inside.items() if name.startswith(prefix)}
    wrong = [name for name, value in found.items() if not isinstance(value, Tensor)]
    if wrong:
        raise ModelError(f"{path}: state_dict: no plain tensors: {', '.join(wrong[:_SHOWN])}", "save it as float32")
    needed = ("conv.seq_module.3.weight", "rnns.0.rnn.weight_hh_l0", "fc.0.module.1.weight")
    flat = {"conv.seq_module.0.weight": 4, "conv.seq_module.3.weight": 4}
    for name in ("conv.seq_module.0.weight", *needed):
        if name not in found or found[name].dim() != flat.get(name, 2):
            raise ModelError(f"{path}: state_dict: {name} is missing or of another kind", mend)
    return found


def _said(content: dict[str, Any]) -> dict[str, Any]:
    """What the checkpoint says of itself, under the names of 2020."""
    hyper = content.get("hyper_parameters", content.get("hparams"))
    if hyper is None:
        return {name: checkpoints.plain(content[name]) for name in _TAKEN - {"state_dict"} if name in content}
    hyper = checkpoints.plain(hyper)
    hyper = hyper if isinstance(hyper, dict) else {}
    network = hyper.get("model_cfg")
    said = dict(network) if isinstance(network, dict) else {}
    for name, theirs in (("audio_conf", "spect_cfg"), ("labels", "labels")):
        if hyper.get(theirs) is not None:
            said[name] = hyper[theirs]
    return said


def _features(said: Mapping[str, Any], path: Path, remarks: list[str]) -> Features:
    audio = said.get("audio_conf")
    names = ("sample_rate", "window_size", "window_stride", "window")
    if not isinstance(audio, dict):
        remarks.append("it says nothing of its sound: assumed 16000 Hz and a hamming window of 20 ms every 10 ms")
        audio = {}
    values = {name: audio[name] for name in names if name in audio}
    if "sample_rate" in values and isinstance(values["sample_rate"], float) and values["sample_rate"].is_integer():
        values["sample_rate"] = int(values["sample_rate"])
    try:
        features = from_dict(Features, values, source=f"{path}: audio_conf")
    except ConfigError as error:
        raise ModelError(error.message, "such features are not supported") from None
    return replace(features, bins=round(features.sample_rate * features.window_size) // 2 + 1)


def _model(state: Mapping[str, Tensor], said: Mapping[str, Any], path: Path) -> Model:
    """The network's shape, read off its weights; what the checkpoint says must agree."""
    first, second = state["conv.seq_module.0.weight"], state["conv.seq_module.3.weight"]
    recurrent = state["rnns.0.rnn.weight_hh_l0"]
    kind = _GATES.get(len(recurrent) // recurrent.shape[1])
    layers = {name.split(".")[1] for name in state if name.startswith("rnns.")}
    if len(layers) > _MOST_LAYERS:
        raise ModelError(f"{path}: {len(layers)} recurrent layers", f"expected {_MOST_LAYERS} at most")
    ahead = state.get("lookahead.0.conv.weight")
    options: dict[str, Any] = {
        "rnn_type": kind,
        "hidden_size": recurrent.shape[1],
        "hidden_layers": len(layers),
        "bidirectional": "rnns.0.rnn.weight_hh_l0_reverse" in state,
        "conv_channels": len(first),
        "conv_spans": [first.shape[2], second.shape[2]],
        "count_padding": True,
    }
    if ahead is not None:
        options["lookahead_context"] = ahead.shape[-1]
    theirs = {
        name: said[name] for name in ("rnn_type", "hidden_size", "hidden_layers", "bidirectional") if name in said
    }
    if isinstance(theirs.get("rnn_type"), str):
        theirs["rnn_type"] = theirs["rnn_type"].lower().rpartition(".")[2].strip("'>")
    differ = [f"{name}: says {value!r}, the weights are {options[name]!r}" for name, value in theirs.items()
              if value is not None and value != options[name]]  # fmt: skip
    if differ:
        raise ModelError(f"{path}: contradicts itself\n  " + "\n  ".join(differ), "get the file from its source again")
    try:
        return from_dict(Model, options, source=f"{path}: the network")
    except ConfigError as error:
        raise ModelError(error.message, "such a network is not supported") from None


def _labels(said: Mapping[str, Any], path: Path) -> list[str]:
    labels = said.get("labels")
    found = list(labels) if isinstance(labels, (str, list)) else []
    if not found or not all(isinstance(label, str) for label in found):
        raise ModelError(f"{path}: it holds no labels", "give the labels.json that it was trained with: --labels-path")
    return cast(list[str], found)


def _fitting(
    state: Mapping[str, Tensor], model: Model, features: Features, labels: int, path: Path
) -> dict[str, Tensor]:
    """The weights in the order of our network; every name or shape that does not fit is listed."""
    with torch.device("meta"):
        wanted = DeepSpeech2(model, features.bins, labels).state_dict()
    counts = {name for name in wanted if name.endswith("num_batches_tracked") and name not in state}
    missing = [name for name in wanted if name not in state and name not in counts]
    unexpected = [name for name in state if name not in wanted]
    shapes = [
        f"{name}: {tuple(state[name].shape)}, expected {tuple(wanted[name].shape)}"
        for name in wanted
        if name in state and state[name].shape != wanted[name].shape
    ]
    faults = [
        f"{title}: {', '.join(names[:_SHOWN])}{f' and {len(names) - _SHOWN} more' if len(names) > _SHOWN else ''}"
        for title, names in (("missing", missing), ("unexpected", unexpected), ("of another shape", shapes))
        if names
    ]
    if faults:
        shown = "\n  ".join(faults)
        raise ModelError(f"{path}: its weights do not make a network of {features.bins} bins\n  {shown}",
                         "expected the network of deepspeech.pytorch without changes")  # fmt: skip
    weights = {name: torch.zeros((), dtype=torch.int64) if name in counts else state[name] for name in wanted}
    weights = {name: value.float() if value.is_floating_point() else value for name, value in weights.items()}
    broken = [name for name, value in weights.items() if value.is_floating_point() and not value.isfinite().all()]
    if broken:
        raise ModelError(f"{path}: weights that are not finite: {', '.join(broken[:_SHOWN])}", "take an earlier epoch")
    return weights


def _blank_first(names: Sequence[str], weights: dict[str, Tensor], path: Path, remarks: list[str]) -> list[str]:
    """Labels with the blank first, where ours must be; the network's outputs are put in the same order."""
    if BLANK not in names:
        raise ModelError(f"{path}: its labels have no blank {BLANK!r}", "give its labels.json: --labels-path")
    blank = list(names).index(BLANK)
    if blank:
        order = [blank, *(n for n in range(len(names)) if n != blank)]
        weights["fc.0.module.1.weight"] = weights["fc.0.module.1.weight"][order]
        remarks.append(f"the blank was label {blank} and is label 0 now")
        return [names[number] for number in order]
    return list(names)


def _case(labels: Sequence[str]) -> Case:
    """The case that transcripts must be brought to, so that they are made of ``labels``."""
    cased = [label for label in labels if label.upper() != label.lower()]
    if cased and all(label == label.upper() for label in cased):
        return "upper"
    return "lower" if cased and all(label == label.lower() for label in cased) else "keep"


def _history(content: Any, generation: str, path: Path) -> dict[str, Any]:
    """What the checkpoint tells of its training, as JSON values."""
    plain = {
        name: checkpoints.plain(content[name])
        for name in ("version", "epoch", "iteration", "avg_loss", "global_step", "pytorch-lightning_version", "meta")
        if isinstance(content, dict) and isinstance(content.get(name), (str, int, float, dict, Tensor))
    }
    past: dict[str, Any] = {"source": f"deepspeech.pytorch {generation}", "file": path.name}
    past |= {name: value for name, item in plain.items() if (value := _json(item)) is not None}
    history: dict[str, Any] = {"imported": past}
    epochs = past.get("epoch")
    if isinstance(epochs, int) and not isinstance(epochs, bool) and epochs > 0:
        history["epochs"] = epochs
    if isinstance(past.get("global_step"), int):
        history["steps"] = past["global_step"]
    metrics = {}
    for theirs, ours in (
        ("loss_results", "train/loss"),
        ("wer_results", "val/wer"),
        ("cer_results", "val/cer_no_spaces"),
    ):
        course = _course(content.get(theirs) if isinstance(content, dict) else None, epochs)
        if course:
            past[theirs] = course
            metrics[ours] = course[-1]
    if metrics:
        history["metrics"] = metrics
    score = _score(content.get("callbacks") if isinstance(content, dict) else None)
    if score:
        past["best"] = score
    return history


def _course(values: Any, epochs: Any) -> list[float | None]:
    """A value an epoch, of those that were reached: they wrote tensors of all epochs that were planned."""
    if isinstance(values, Tensor):
        values = values.flatten().tolist() if values.numel() < 100_000 else None
    if not isinstance(values, list):
        return []
    reached = values[:epochs] if isinstance(epochs, int) and epochs > 0 else values
    numbers = [round(float(v), 6) for v in reached if isinstance(v, (int, float)) and not isinstance(v, bool)]
    return [number if math.isfinite(number) else None for number in numbers] if any(numbers) else []


def _score(callbacks: Any) -> dict[str, Any]:
    """What Lightning's ModelCheckpoint remembers: the value that it watches, and the best."""
    plain = checkpoints.plain(callbacks, 4)
    for state in plain.values() if isinstance(plain, dict) else ():
        if isinstance(state, dict) and "best_model_score" in state:
            value = _json(state["best_model_score"])
            return {str(state.get("monitor") or "score"): value} if value is not None else {}
    return {}


def _json(value: Any) -> Any:
    """``value`` as JSON, or None where it is none: text is kept to 2000 characters."""
    if isinstance(value, Tensor):
        value = value.item() if value.numel() == 1 else None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return value[:2000]
    if isinstance(value, dict):
        return {str(k)[:200]: _json(v) for k, v in list(value.items())[:100]}
    if isinstance(value, list):
        return [_json(v) for v in value[:1000]]
    return value if isinstance(value, (int, bool)) else None


def _kind(content: Any) -> str:
    if isinstance(content, dict):
        return f"a dict of {', '.join(str(name) for name in list(content)[:8] if isinstance(name, str))[:300]}"
    return f"a {content.name}" if isinstance(content, Record) else f"a {type(content).__name__}"
