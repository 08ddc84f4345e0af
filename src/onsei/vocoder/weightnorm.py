"""Weight normalization in its three layouts: weight_g and weight_v, torch's parametrizations, and fused weights.

Source: Salimans and Kingma, Weight normalization, 2016; Miyato et al., Spectral normalization, 2018.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm, weight_norm
from torch.nn.utils.parametrize import is_parametrized, remove_parametrizations

from onsei.errors import ModelError

__all__ = ["classic", "fill", "fuse", "fused", "spectral_norm", "weight_norm"]

_G, _V = "parametrizations.weight.original0", "parametrizations.weight.original1"
_RAW, _LEFT, _RIGHT = (f"parametrizations.weight.{name}" for name in ("original", "0._u", "0._v"))
_NAMES = {_G: "weight_g", _V: "weight_v", _RAW: "weight_orig", _LEFT: "weight_u", _RIGHT: "weight_v"}
_SHOWN = 12


def classic(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """``state`` in the layout of upstream's checkpoints: weight_g and weight_v, or weight_orig, weight_u and weight_v.

    Fused weights become their norm and themselves; 1-dimensional weights stay.
    """
    found: dict[str, Tensor] = {}
    for name, value in state.items():
        owner, after = _split(name)
        if after in _NAMES:
            found[owner + _NAMES[after]] = value
        elif after == "weight" and value.dim() > 1:
            found |= {f"{owner}weight_g": _norm(value), f"{owner}weight_v": value}
        else:
            found[name] = value
    return found


def fused(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """``state`` with plain weights only, whichever layout of weight normalization it has."""
    found: dict[str, Tensor] = {}
    theirs = classic({name: value for name, value in state.items() if not name.endswith(".weight")})
    for name, value in theirs.items():
        owner, after = _split(name)
        if after == "weight_v" and f"{owner}weight_g" in theirs:
            found[f"{owner}weight"] = torch._weight_norm(value, theirs[f"{owner}weight_g"], 0)
        elif after != "weight_g":
            found[name] = value
    return found | {name: value for name, value in state.items() if name.endswith(".weight")}


def fill(module: nn.Module, state: Mapping[str, Tensor], source: str = "checkpoint") -> None:
    """Load ``state``, in any of the three layouts, into ``module``, whichever it has.

    Raises:
        ModelError: names or shapes that do not fit; all of them.
    """
    wanted = module.state_dict()
    given = fused(state) if not any(name.endswith(_V) for name in wanted) else _parametrized(state, wanted)
    missing = [name for name in wanted if name not in given]
    unexpected = [name for name in given if name not in wanted]
    shapes = [
        f"{name} {tuple(given[name].shape)} for {tuple(value.shape)}"
        for name, value in wanted.items()
        if name in given and given[name].shape != value.shape
    ]
    faults = [
        f"{title}: {', '.join(names[:_SHOWN])}{f' and {len(names) - _SHOWN} more' if len(names) > _SHOWN else ''}"
        for title, names in (("missing", missing), ("unexpected", unexpected), ("of another shape", shapes))
        if names
    ]
    if faults:
        shown = "\n  ".join(faults)
        raise ModelError(
            f"{source}: its weights do not fit the network\n  {shown}", "give the configuration that it was trained by"
        )
    module.load_state_dict(given)


def fuse(module: nn.Module) -> None:
    """Take weight normalization out of ``module``, in place: the same numbers, without computing weights anew."""
    for part in module.modules():
        if is_parametrized(part, "weight"):
            remove_parametrizations(part, "weight")


def _parametrized(state: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """``state`` under torch's own names, as far as the network ``wanted`` has them."""
    given: dict[str, Tensor] = {}
    spectral = {_split(name)[0] for name in wanted if name.endswith(_RAW)}
    for name, value in classic(state).items():
        owner, after = _split(name)
        names = {"weight_g": _G, "weight_v": _V}
        if owner in spectral:
            names = {"weight_orig": _RAW, "weight_u": _LEFT, "weight_v": _RIGHT}
        given[owner + names.get(after, after)] = value
    return given


def _split(name: str) -> tuple[str, str]:
    """Owner with its dot, and what follows it."""
    for after in _NAMES:
        if name.endswith(f".{after}") or name == after:
            return name.removesuffix(after), after
    owner, dot, last = name.rpartition(".")
    return owner + dot, last


def _norm(weight: Tensor) -> Tensor:
    """Norm over all but the first dimension, (N, 1, …)."""
    norms: Tensor = torch.linalg.vector_norm(weight.flatten(1), dim=1)
    return norms.view(-1, *(1,) * (weight.dim() - 1))
