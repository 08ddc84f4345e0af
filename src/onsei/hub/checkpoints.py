"""Checkpoints of other toolkits, written by ``torch.save``: read as data, mapped into memory, never executed."""

from __future__ import annotations

import math
import mmap
import struct
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from onsei.errors import ModelError
from onsei.hub import pickles
from onsei.hub.pickles import Named, Record

_MAGIC = 0x1950A86A20F9469CFC6C
"""The first number of files written by PyTorch before 1.6."""
_LOCAL_HEADER = 30
_KINDS = {
    "Double": torch.float64, "Float": torch.float32, "Half": torch.float16, "BFloat16": torch.bfloat16,
    "Long": torch.int64, "Int": torch.int32, "Short": torch.int16, "Char": torch.int8, "Byte": torch.uint8,
    "Bool": torch.bool, "ComplexDouble": torch.complex128, "ComplexFloat": torch.complex64, "Untyped": torch.uint8,
}  # fmt: skip
_COPY = "it was cut short or damaged: copy or download it again"


def read(path: Path | str) -> Any:
    """All that a ``.pth``, ``.pth.tar``, ``.pt``, ``.ckpt`` or ``.bin`` file of ``torch.save`` holds.

    Tensors lie in the mapped file: only those that are used take memory, once. Those of the older format, which does
    not align them, are copied, once. They may be written to; the file stays.

    Args:
        path: a file of PyTorch 1.6 and later (a ZIP archive), or of PyTorch 0.2 to 1.5.

    Returns:
        Nested dicts, lists, tuples, tensors, text and numbers; objects of classes (config dataclasses, enums) as
        ``pickles.Record``, classes as ``pickles.Named``. Nothing of it has been executed.

    Raises:
        ModelError: there is no such file, it is no checkpoint, damaged, or holds what could run code.
    """
    path = Path(path)
    memory = _mapped(path)
    head = bytes(memory[:512])
    if head.startswith(b"PK"):
        return _read_archive(path, memory)
    if head[:1] == b"\x80" and head[2:3] in (b"\x8a", b"\x95"):
        return _read_sequence(path, memory)
    raise _no_checkpoint(path, head)


def plain(value: Any, depth: int = 16) -> Any:
    """``value`` of ``read`` without records: configs (dataclasses, OmegaConf) as dicts, enums as their values, classes
    as their last names. What is nested deeper than ``depth``, or too much, becomes ``…``.
    """
    left = [100_000]

    def walk(item: Any, depth: int) -> Any:
        left[0] -= 1
        if depth < 0 or left[0] < 0:
            return "…"
        if isinstance(item, Named):
            return item.name.rpartition(".")[2]
        if isinstance(item, Record):
            return walk(_core(item), depth)
        if isinstance(item, dict):
            return {walk(k, 1) if isinstance(k, (Named, Record)) else k: walk(v, depth - 1) for k, v in item.items()}
        if isinstance(item, (list, tuple, set, frozenset)):
            return [walk(v, depth - 1) for v in item]
        return item

    return walk(value, depth)


def _core(record: Record) -> Any:
    """What a record stands for: the content of a container, the value of an enum or node, the fields of an object."""
    if record.items is not None:
        return record.items
    for name in ("_content", "_val"):  # OmegaConf's containers and nodes
        if record.field(name, record) is not record:
            return record.field(name)
    if isinstance(record.state, dict):
        return record.state
    return record.args[0] if len(record.args) == 1 else list(record.args) or Named(record.name)


@dataclass(frozen=True)
class _Storage:
    """Numbers of one kind in the file: what tensors are cut from."""

    dtype: torch.dtype
    values: Tensor
    """Shape (N,); uint8 where the pickle names no kind."""


class _Tape:
    """A part of the mapped file as ``pickles.read`` wants it: never reads beyond, never makes room for a claim."""

    def __init__(self, memory: mmap.mmap, begin: int, end: int) -> None:
        self.memory, self.place, self.end = memory, begin, end

    def tell(self) -> int:
        return self.place

    def read(self, count: int) -> bytes:
        stop = min(self.place + count, self.end)
        if count > pickles.LONGEST:
            raise ValueError(f"a claim of {count} bytes")
        found = self.memory[self.place : stop]
        self.place = stop
        return found

    def readline(self) -> bytes:
        stop = self.memory.find(b"\n", self.place, min(self.end, self.place + pickles.LONGEST))
        return self.read((self.end if stop < 0 else stop + 1) - self.place)


def _mapped(path: Path) -> mmap.mmap:
    try:
        with path.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
    except FileNotFoundError:
        raise ModelError(f"{path}: no such file", "check the path") from None
    except IsADirectoryError:
        mend = "name the checkpoint file in it; a model folder of onsei needs no import"
        raise ModelError(f"{path}: a folder, where a checkpoint file is expected", mend) from None
    except ValueError:
        raise ModelError(f"{path}: empty", _COPY) from None
    except OSError as error:
        raise ModelError(f"{path}: cannot be read ({error.strerror})", "check that you may read it") from None


def _read_archive(path: Path, memory: mmap.mmap) -> Any:
    """The format since PyTorch 1.6: ``NAME/data.pkl`` and ``NAME/data/KEY``, stored without compression."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = {info.filename: info for info in archive.infolist()}
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise ModelError(f"{path}: not a whole ZIP archive ({error})", _COPY) from None
    entry = next((name for name in members if name.count("/") == 1 and name.endswith("/data.pkl")), None)
    if entry is None:
        mend = "expected a file of torch.save with NAME/data.pkl in it"
        raise ModelError(f"{path}: a ZIP archive, but no PyTorch checkpoint", mend)
    root = entry.removesuffix("data.pkl")
    if f"{root}constants.pkl" in members:
        raise ModelError(f"{path}: a TorchScript program, which is code", "import the checkpoint it was made from")
    order = members.get(f"{root}byteorder")
    if order is not None and memory[slice(*_extent(path, memory, order))] != b"little":
        raise ModelError(f"{path}: written on a big-endian machine", "load and save it again on a common machine")

    def storage(identity: Any) -> _Storage:
        kind, key, count = _identity(path, identity)
        member = members.get(f"{root}data/{key}")
        if member is None:
            raise ModelError(f"{path}: {root}data/{key} is missing", _COPY)
        return _storage(path, memory, kind, count, *_extent(path, memory, member))

    begin, end = _extent(path, memory, members[entry])
    if end - begin > pickles.LONGEST:
        raise ModelError(f"{path}: its pickle has {end - begin} bytes", "this is no checkpoint of weights")
    return pickles.read(_Tape(memory, begin, end), str(path), _makers(path), _outside(storage))


def _extent(path: Path, memory: mmap.mmap, info: zipfile.ZipInfo) -> tuple[int, int]:
    """Where the content of an archive's member begins and ends in the file."""
    if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
        raise ModelError(f"{path}: {info.filename} is compressed or locked", "expected a file as torch.save writes it")
    header = memory[info.header_offset : info.header_offset + _LOCAL_HEADER]
    if len(header) < _LOCAL_HEADER or header[:4] != b"PK\x03\x04":
        raise ModelError(f"{path}: {info.filename} is not where the archive says", _COPY)
    name, extra = struct.unpack("<HH", header[26:30])
    begin = info.header_offset + _LOCAL_HEADER + name + extra
    if begin + info.file_size > len(memory):
        raise ModelError(f"{path}: {info.filename} reaches beyond the end of the file", _COPY)
    return begin, begin + info.file_size


def _read_sequence(path: Path, memory: mmap.mmap) -> Any:
    """The format before PyTorch 1.6: pickles (number, version, system, content, storages' keys), then raw numbers."""
    tape = _Tape(memory, 0, len(memory))
    if pickles.read(tape, str(path)) != _MAGIC:
        raise _no_checkpoint(path, bytes(memory[:512]))
    pickles.read(tape, str(path))
    system = pickles.read(tape, str(path))
    if isinstance(system, dict) and system.get("little_endian") is False:
        raise ModelError(f"{path}: written on a big-endian machine", "load and save it again on a common machine")
    wanted: dict[str, _Storage] = {}
    content_begins = tape.tell()

    def sizes(identity: Any) -> _Storage:
        kind, key, count = _identity(path, identity)
        return wanted.setdefault(key, _Storage(kind, torch.empty(count, dtype=kind, device="meta")))

    # Where storages lie is known after the content only: it is read twice.
    pickles.read(tape, str(path), _makers(path, check=False), _outside(sizes))
    keys = pickles.read(tape, str(path))
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise ModelError(f"{path}: no list of storages after the content", _COPY)
    places = dict(_raw(path, memory, tape.tell(), keys, wanted))

    def storage(identity: Any) -> _Storage:
        kind, key, count = _identity(path, identity)
        if key not in places:
            raise ModelError(f"{path}: the numbers of storage {key[:80]!r} are missing", _COPY)
        return _storage(path, memory, kind, count, *places[key])

    tape = _Tape(memory, content_begins, len(memory))
    return pickles.read(tape, str(path), _makers(path), _outside(storage))


def _raw(
    path: Path, memory: mmap.mmap, place: int, keys: list[str], wanted: Mapping[str, _Storage]
) -> Iterator[tuple[str, tuple[int, int]]]:
    """Where each storage lies behind the pickles: a count of 8 bytes before each."""
    for key in keys:
        if key not in wanted:
            raise ModelError(f"{path}: storage {key[:80]!r} belongs to no tensor", _COPY)
        begin = place + 8
        if begin > len(memory):
            raise ModelError(f"{path}: ends before the numbers of its tensors", _COPY)
        (count,) = struct.unpack("<q", memory[place:begin])
        place = begin + count * wanted[key].dtype.itemsize
        if count < 0 or place > len(memory):
            raise ModelError(f"{path}: a storage claims {count} numbers, which the file does not hold", _COPY)
        yield key, (begin, place)


def _identity(path: Path, identity: Any) -> tuple[torch.dtype, str, int]:
    """Kind, key and count of a storage that a pickle refers to: ``("storage", class, key, place, count, …)``."""
    if isinstance(identity, tuple) and len(identity) in (5, 6) and identity[0] == "storage":
        _, kind, key, _, count, *view = identity
        name = kind.name.rpartition(".")[2].removesuffix("Storage") if isinstance(kind, Named) else ""
        if name in _KINDS and isinstance(key, str) and isinstance(count, int) and 0 <= count < 2**62 and not any(view):
            return _KINDS[name], key, count
    raise ModelError(f"{path}: a tensor whose numbers are of a kind that is not known here", _COPY)


def _storage(path: Path, memory: mmap.mmap, dtype: torch.dtype, count: int, begin: int, end: int) -> _Storage:
    if count * dtype.itemsize > end - begin:
        found = f"a storage claims {count * dtype.itemsize} bytes, the file holds {end - begin}"
        raise ModelError(f"{path}: {found}", _COPY)
    if not count:
        return _Storage(dtype, torch.empty(0, dtype=dtype))
    if begin % dtype.itemsize:  # the older format does not align: these are copied, once
        own = torch.empty(count * dtype.itemsize, dtype=torch.uint8)
        own.numpy()[:] = np.frombuffer(memory, np.uint8, len(own), begin)
        return _Storage(dtype, own.view(dtype))
    return _Storage(dtype, torch.frombuffer(memory, dtype=dtype, count=count, offset=begin))


def _outside(make: Callable[[Any], _Storage]) -> pickles.Maker:
    """What a pickle refers to outside itself: a storage, made once for all its tensors, or a network's class."""
    known: dict[str, _Storage] = {}

    def find(identity: Any) -> Any:
        if isinstance(identity, tuple) and identity[:1] == ("module",) and len(identity) > 1:
            return identity[1] if isinstance(identity[1], Named) else None  # its source code follows: not kept
        key = identity[2] if isinstance(identity, tuple) and len(identity) > 2 else ""
        if not isinstance(key, str) or key not in known:
            storage = make(identity)  # refuses a key that is no text
            known[key] = storage
        return known[key]

    return find


def _makers(path: Path, check: bool = True) -> dict[str, pickles.Maker]:
    """What pickles of PyTorch may have made: tensors of storages, and nothing else."""

    def tensor(storage: Any = None, offset: Any = 0, size: Any = (), stride: Any = (), *_: Any) -> Any:
        return _cut(path, storage, offset, size, stride, None) if check else None

    def typed(storage: Any = None, offset: Any = 0, size: Any = (), stride: Any = (), *rest: Any) -> Any:
        kind = rest[2] if len(rest) > 2 else None
        dtype = getattr(torch, kind.name.removeprefix("torch."), None) if isinstance(kind, Named) else None
        fits = isinstance(dtype, torch.dtype)
        return (_cut(path, storage, offset, size, stride, dtype) if check else None) if fits else NotImplemented

    def parameter(data: Any = None, *_: Any) -> Any:
        return data

    def rebuilt(function: Any = None, kind: Any = None, args: Any = (), *_: Any) -> Any:
        maker = made.get(function.name) if isinstance(function, Named) else None
        return maker(*args) if maker is not None and isinstance(args, tuple) else NotImplemented

    made: dict[str, pickles.Maker] = {
        "torch._utils._rebuild_tensor": tensor,
        "torch._utils._rebuild_tensor_v2": tensor,
        "torch._utils._rebuild_tensor_v3": typed,
        "torch._utils._rebuild_parameter": parameter,
        "torch._utils._rebuild_parameter_with_state": parameter,
        "torch.Size": lambda sizes=(), *_: tuple(sizes),
    }
    return {**made, "torch._tensor._rebuild_from_type_v2": rebuilt}


def _cut(path: Path, storage: Any, offset: Any, size: Any, stride: Any, dtype: torch.dtype | None) -> Tensor:
    """The tensor of ``size`` and ``stride`` in ``storage``, if it lies in there and claims no more than is there."""
    whole = (offset, *size, *stride) if isinstance(size, tuple) and isinstance(stride, tuple) else ()
    sound = len(whole) == 1 + 2 * len(size) and all(type(n) is int and 0 <= n < 2**48 for n in whole)
    if not isinstance(storage, _Storage) or not sound or len(size) > 16:
        raise ModelError(f"{path}: a tensor of no shape that makes sense", _COPY)
    values = storage.values if dtype is None else _as_kind(path, storage, dtype)
    count = math.prod(size)
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True)) + 1 if count else offset
    if last > len(values) or count > len(values):
        found = f"a tensor of shape {size} reaches to number {last} of a storage of {len(values)}"
        raise ModelError(f"{path}: {found}", "a checkpoint of weights has no such tensor: do not trust this file")
    return values.as_strided(size, stride, offset)


def _as_kind(path: Path, storage: _Storage, dtype: torch.dtype) -> Tensor:
    if storage.values.numel() * storage.values.itemsize % dtype.itemsize:
        raise ModelError(f"{path}: a storage that does not divide into {dtype}", _COPY)
    return storage.values.view(dtype)


def _no_checkpoint(path: Path, head: bytes) -> ModelError:
    mend = "expected a .pth, .pth.tar, .pt or .ckpt file that torch.save wrote"
    if head[257:262] == b"ustar":
        return ModelError(f"{path}: a tar archive", f"unpack it, or, if PyTorch 0.1 wrote it, save it anew; {mend}")
    if head[8:9] == b"{":
        return ModelError(f"{path}: a safetensors file, which needs no import", mend)
    if head[:1] == b"\x80":
        return ModelError(f"{path}: a pickle, but not one that torch.save wrote", mend)
    return ModelError(f"{path}: not a PyTorch checkpoint (it begins with {head[:8]!r})", mend)
