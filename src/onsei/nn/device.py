"""Which device and number format a network computes in."""

from __future__ import annotations

import sys

import torch
from torch.nn import Module

from onsei.errors import ConfigError


def pick_device(name: str) -> torch.device:
    """The device called ``name``; ``auto`` takes CUDA, then MPS, then the CPU.

    Raises:
        ConfigError: there is no such device on this machine.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        if device.type not in ("cpu", "cuda", "mps"):  # `meta`, which computes nothing, would pass
            raise RuntimeError("not a kind of device that onsei computes on")
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"device {name!r} cannot be used: {reason}", "use auto, cpu, cuda, cuda:0 or mps") from None
    return device


def pick_dtype(name: str) -> torch.dtype:
    """The number format called ``name``."""
    return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[name]


def suited(model: Module, device: torch.device, dtype: torch.dtype) -> tuple[Module, torch.dtype]:
    """``model`` ready to infer on ``device``, and the number format that it computes in.

    Where bfloat16 is slow (see ``has_bfloat16``), weights are rounded to it and all computing is done in float32, which
    is said on standard error.
    """
    model = model.eval()
    if dtype == torch.bfloat16 and not has_bfloat16(device):
        print("onsei: dtype bfloat16: this CPU is slow in it, so the network computes in 32 bits", file=sys.stderr)
        return model.to(dtype).to(device, torch.float32), torch.float32
    return model.to(device, dtype), dtype


def has_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 is worth its rounding there: without kernels for it torch's CPU takes ten times as long as in
    float32 (x86 without AVX-512, for example).
    """
    if device.type != "cpu":
        return True
    built: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return built and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
