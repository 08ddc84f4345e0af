"""Nested state as tensors by name and JSON: what a checkpoint holds instead of a pickle."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

_TENSOR, _PAIRS, _TUPLE, _NUMBER = "$tensor", "$pairs", "$tuple", "$number"


def flatten(state: Any) -> tuple[dict[str, Tensor], Any]:
    """Take the tensors out of nested dicts, lists and tuples.

    Returns:
        The tensors by dotted path, and JSON values in which each tensor is a reference. A tensor that stands in two
        places (tied weights) is taken once.

    Raises:
        TypeError: a value is neither a tensor nor a JSON value; names its path.
    """
    tensors: dict[str, Tensor] = {}
    return tensors, _flatten(state, "", tensors, {})


def unflatten(tree: Any, tensors: Mapping[str, Tensor]) -> Any:
    """Put together again what ``flatten`` took apart."""
    if isinstance(tree, list):
        return [unflatten(value, tensors) for value in tree]
    if not isinstance(tree, dict):
        return tree
    if _TENSOR in tree:
        return tensors[tree[_TENSOR]]
    if _NUMBER in tree:
        return float(tree[_NUMBER])
    if _TUPLE in tree:
        return tuple(unflatten(value, tensors) for value in tree[_TUPLE])
    if _PAIRS in tree:
        return {unflatten(key, tensors): unflatten(value, tensors) for key, value in tree[_PAIRS]}
    return {key: unflatten(value, tensors) for key, value in tree.items()}


def describe_difference(saved: Mapping[str, Tensor], here: Mapping[str, Tensor]) -> str:
    """How the names and shapes of two sets of weights differ; empty if they do not."""
    lines = [f"{name} is only in the checkpoint" for name in saved if name not in here]
    lines += [f"{name} is not in the checkpoint" for name in here if name not in saved]
    lines += [
        f"{name} has shape {tuple(tensor.shape)}, in the checkpoint {tuple(saved[name].shape)}"
        for name, tensor in here.items()
        if name in saved and tensor.shape != saved[name].shape
    ]
    more = f"; and {len(lines) - 3} more" if len(lines) > 3 else ""
    return "; ".join(lines[:3]) + more


def _flatten(value: Any, path: str, tensors: dict[str, Tensor], seen: dict[Any, str]) -> Any:
    if isinstance(value, Tensor):
        data = value.detach()
        place = (data.data_ptr(), data.dtype, tuple(data.shape), data.stride(), data.device)
        name = seen.setdefault(place, path) if data.numel() else path
        tensors[name] = data
        return {_TENSOR: name}
    if isinstance(value, Mapping):
        if all(isinstance(key, str) and not key.startswith("$") for key in value):
            return {key: _flatten(item, _join(path, key), tensors, seen) for key, item in value.items()}
        pairs = [
            [_flatten(key, path, tensors, seen), _flatten(item, _join(path, key), tensors, seen)]
            for key, item in value.items()
        ]
        return {_PAIRS: pairs}
    if isinstance(value, (list, tuple)):
        items = [_flatten(item, _join(path, i), tensors, seen) for i, item in enumerate(value)]
        return {_TUPLE: items} if isinstance(value, tuple) else items
    if isinstance(value, float) and not math.isfinite(value):
        return {_NUMBER: repr(value)}
    if value is None or type(value) in (bool, int, float, str):
        return value
    raise TypeError(f"state {path}: expected a tensor or a JSON value, found {type(value).__name__}")


def _join(path: str, key: object) -> str:
    return f"{path}.{key}" if path else str(key)


def moved(state: Any, device: torch.device) -> Any:
    """Nested state with all its tensors on ``device``."""
    if isinstance(state, Tensor):
        return state.to(device)
    if isinstance(state, Mapping):
        return {key: moved(value, device) for key, value in state.items()}
    if isinstance(state, (list, tuple)):
        return type(state)(moved(value, device) for value in state)
    return state
