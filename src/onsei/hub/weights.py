"""Tensors on disk: the one door to safetensors, so that no file read here can run code."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from onsei.errors import ModelError
from onsei.paths import written_aside

SUFFIX = ".safetensors"
_PICKLES = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


@dataclass(frozen=True)
class TensorInfo:
    """What a file's header says of one tensor."""

    shape: tuple[int, ...]
    dtype: str
    """safetensors' name: ``F32``, ``BF16``, ``I64`` …"""

    @property
    def size(self) -> int:
        """Number of values; 1 for a scalar."""
        return int(torch.Size(self.shape).numel())


def save(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> None:
    """Write ``tensors`` (any device, any strides) to ``path``, whole or not at all.

    Tensors that share memory (tied weights) are written once for each name. ``metadata`` is text by text.

    Raises:
        OnseiError: the disk is full or the folder cannot be written; the old file stays.
        ModelError: an entry is not a dense tensor.
    """
    for name, tensor in tensors.items():
        if not isinstance(tensor, Tensor) or tensor.layout != torch.strided:
            raise ModelError(
                f"{path}: expected a dense tensor for {name!r}, found {type(tensor).__name__}", "save tensors only"
            )
    with written_aside(Path(path)) as aside:
        try:
            save_file(_own_memory(tensors), aside, metadata=dict(metadata) if metadata else None)
        except SafetensorError as error:
            # safetensors hides the system's error in its text; written_aside needs an OSError to name a full disk.
            number = re.search(r"os error (\d+)", str(error))
            if number is None:
                raise
            raise OSError(int(number[1]), str(error)) from error


def load(path: Path, device: str | torch.device = "cpu") -> dict[str, Tensor]:
    """Tensors of the file ``path`` by name, on ``device``.

    Raises:
        ModelError: the file is missing, truncated, not safetensors, or a pickle (which is never loaded).
    """
    _refuse_others(Path(path))
    try:
        return load_file(path, device=str(device))
    except SafetensorError as error:
        raise _damaged(path, error) from error


def keys(path: Path) -> tuple[str, ...]:
    """Names of the tensors in ``path``, sorted. Reads the header only; errors as in ``load``."""
    return tuple(describe(path))


def describe(path: Path) -> dict[str, TensorInfo]:
    """Shapes and types of the tensors in ``path``, sorted by name. Reads the header only; errors as in ``load``."""
    with _opened(Path(path)) as file:
        slices = {name: file.get_slice(name) for name in sorted(file.keys())}
        return {name: TensorInfo(tuple(part.get_shape()), str(part.get_dtype())) for name, part in slices.items()}


def metadata(path: Path) -> dict[str, str]:
    """What ``save`` was given as metadata. Reads the header only; errors as in ``load``."""
    with _opened(Path(path)) as file:
        return dict(file.metadata() or {})


def fingerprint(path: Path) -> str:
    """16 hexadecimal digits of a hash of the file's bytes: which weights they are."""
    hashed = blake2b(digest_size=8)
    with Path(path).open("rb") as file:
        while part := file.read(1 << 20):
            hashed.update(part)
    return hashed.hexdigest()


def is_statistic(name: str) -> bool:
    """Whether the tensor ``name`` is a running statistic (batch norm) and no parameter."""
    return name.endswith(("running_mean", "running_var", "num_batches_tracked"))


def _own_memory(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Contiguous CPU tensors, of which no two share memory (safetensors refuses those that do)."""
    seen: set[int] = set()
    own = {}
    for name, tensor in tensors.items():
        value = tensor.detach().cpu().contiguous()
        storage = value.untyped_storage()
        if storage.data_ptr() in seen or storage.nbytes() != value.numel() * value.element_size():
            value = value.clone()
        seen.add(value.untyped_storage().data_ptr())
        own[name] = value
    return own


def _opened(path: Path) -> Any:
    _refuse_others(path)
    try:
        return safe_open(path, framework="pt")
    except SafetensorError as error:
        raise _damaged(path, error) from error


def _refuse_others(path: Path) -> None:
    try:
        with path.open("rb") as file:
            head = file.read(9)
    except FileNotFoundError:
        raise ModelError(f"{path}: no such file", "check the path") from None
    except OSError as error:
        raise ModelError(
            f"{path}: cannot be read ({error.strerror})", "check that it is a file that you may read"
        ) from None
    # Safetensors begin with the length of the header, which may look like a pickle, and then the header's brace.
    if head.startswith(_PICKLES) and head[8:9] != b"{":
        raise ModelError(
            f"{path}: expected safetensors, found a pickle, which could run code and is never loaded here",
            "bring a checkpoint of another toolkit in with `onsei SYSTEM import CHECKPOINT --output-dir DIR`",
        )


def _damaged(path: Path, error: Exception) -> ModelError:
    size = Path(path).stat().st_size
    return ModelError(
        f"{path}: not a whole safetensors file ({size} bytes; {error})",
        "it was cut short or is of another format: copy or download it again",
    )
