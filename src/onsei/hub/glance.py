"""What a checkpoint of another toolkit holds, for ``onsei inspect CHECKPOINT``; nothing in it is run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import Tensor

from onsei.hub import checkpoints
from onsei.hub.inspect import columns, network_rows, parts, scalar, size_text, tree, whole_part
from onsei.hub.weights import TensorInfo

_LIST = 100
"""Longest list of numbers that is shown."""


def summarize(path: Path, depth: int = 2) -> dict[str, Any]:
    """What the file ``path`` holds, as JSON values. Errors as in ``checkpoints.read``."""
    content = checkpoints.read(path)
    tensors = dict(_tensors(content.get("state_dict", content) if isinstance(content, dict) else {}))
    whole = whole_part(tensors)
    origin, verb = _origin(content)
    return {
        "path": str(path),
        "checkpoint": origin,
        "import": f"onsei {verb} {path} --output-dir DIR" if verb else None,
        "bytes": path.stat().st_size,
        "parameters": whole.parameters,
        "statistics": whole.statistics,
        "network": [asdict(part) for part in parts(tensors, depth)],
        "holds": _shown(checkpoints.plain(content, 6)),
    }


def render(found: Mapping[str, Any]) -> str:
    """The text of ``onsei inspect`` for what ``summarize`` found."""
    lines = [f"{found['path']}: checkpoint of {found['checkpoint']}, {size_text(found['bytes'])}; no model folder"]
    lines.append(f"  bring it in: {found['import']}" if found["import"] else "  onsei has no import for it")
    counts = f"{found['parameters']:,} parameters + {found['statistics']:,} running statistics"
    lines += ["", "network", f"  {counts}", *(f"  {line}" for line in columns(network_rows(found["network"])))]
    holds = found["holds"]
    lines += ["", "holds", *(f"  {line}" for line in (tree(holds) if isinstance(holds, dict) else [scalar(holds)]))]
    return "\n".join(lines)


def _origin(content: Any) -> tuple[str, str]:
    """Which toolkit wrote it, and what imports it here."""
    keys = set(content) if isinstance(content, dict) else set()
    if {"state_dict", "labels", "audio_conf"} <= keys:
        return "deepspeech.pytorch (2020)", "recognition import"
    if "pytorch-lightning_version" in keys:
        hyper = checkpoints.plain(content.get("hyper_parameters"), 1)
        if isinstance(hyper, dict) and "spect_cfg" in hyper:
            return "deepspeech.pytorch (2022)", "recognition import"
        return "PyTorch Lightning", ""
    return "PyTorch", ""


def _tensors(state: Any) -> Iterator[tuple[str, TensorInfo]]:
    for name, value in state.items() if isinstance(state, dict) else ():
        if isinstance(value, Tensor):
            yield str(name), TensorInfo(tuple(value.shape), str(value.dtype).removeprefix("torch."))


def _shown(value: Any) -> Any:
    """``value`` in short: tensors by kind and shape, many tensors by their number, long lists by their length."""
    if isinstance(value, Tensor):
        few = value.numel() <= _LIST and value.dim() <= 1
        return _rounded(value.tolist()) if few else f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"
    if isinstance(value, dict):
        tensors = [item for item in value.values() if isinstance(item, Tensor)]
        if len(tensors) > 8:
            return f"{len(tensors)} tensors of {sum(item.numel() for item in tensors):,} values"
        if len(value) > _LIST:
            return f"{len(value)} entries"
        return {str(name)[:200]: _shown(item) for name, item in value.items()}
    if isinstance(value, list):
        plain = all(isinstance(item, (str, int, float, bool)) or item is None for item in value)
        return _rounded(value) if plain and len(value) <= _LIST else f"list of {len(value)}"
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    return value[:2000] if isinstance(value, str) else _rounded(value)


def _rounded(value: Any) -> Any:
    """Numbers in short; what JSON has no form for, as text."""
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    if isinstance(value, float) and math.isfinite(value):
        return float(f"{value:.6g}")
    if isinstance(value, int) and value.bit_length() > 64:
        return f"a number of {value.bit_length()} bits"
    return str(value) if isinstance(value, (float, complex)) else value
