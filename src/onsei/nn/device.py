"""Which device and number format a network computes in."""

from __future__ import annotations

import torch

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


def has_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 is worth its rounding there: without kernels for it torch's CPU takes ten times as long as in
    float32 (x86 without AVX-512, for example).
    """
    if device.type != "cpu":
        return True
    built: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    return built and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
