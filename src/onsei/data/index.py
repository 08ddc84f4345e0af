"""The index of a manifest: where each row starts and how long it sounds, in files that are memory-mapped."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
import numpy.typing as npt

from onsei.data import samples
from onsei.data.progress import progress
from onsei.errors import DataError, OnseiError
from onsei.paths import cache_folder, write_text, written_aside

Offsets = npt.NDArray[np.uint64]
Durations = npt.NDArray[np.float32]
Form = Literal["jsonl", "csv", "samples"]

_VERSION = 2
_BLOCK = 1 << 24
_EDGE = 1 << 16
_LONGEST_LINE = 1 << 26
_SHOW_FROM = 100_000
_DURATION = re.compile(rb'"duration"[ \t]*:[ \t]*(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)[ \t]*[,}]')
_SPACE = np.frombuffer(b" \t\r\n", dtype=np.uint8)


@dataclass(frozen=True)
class Facts:
    """What is known of a manifest beside its rows' places."""

    rows: int
    content: str
    """Hash of all bytes: the same for a copy elsewhere."""
    form: Form = "jsonl"
    """One JSON object a line; deepspeech.pytorch's CSV; or the samples of its JSON manifest of 2022."""
    root: str = ""
    """What paths are relative to, where the manifest says it."""


@dataclass(frozen=True)
class Index:
    """An open index: ``offsets`` has one entry a row and the file's size as its last."""

    facts: Facts
    offsets: Offsets
    durations: Durations
    """Seconds, NaN where the manifest does not say."""


def key_of(manifest: Path) -> str:
    """Changes when the file changes: a hash of its size, time of change, first and last 64 KiB.

    Raises:
        DataError: the file is missing, is a folder, or may not be read.
    """
    try:
        with manifest.open("rb") as file:
            status = os.fstat(file.fileno())
            head = file.read(_EDGE)
            file.seek(max(0, status.st_size - _EDGE))
            digest = hashlib.blake2b(head + file.read(_EDGE), digest_size=8)
    except FileNotFoundError:
        raise DataError(f"{manifest}: no such manifest", "check the path") from None
    except OSError as error:
        expected = "expected a manifest file (JSONL or CSV)"
        raise DataError(f"{manifest}: {expected}: {error.strerror}", "name a file that you may read") from None
    digest.update(f"{status.st_size}|{status.st_mtime_ns}|{_VERSION}".encode())
    return digest.hexdigest()


def open_index(manifest: Path, key: str) -> Index:
    """The index of ``manifest``; built in one pass where there is none for ``key``, beside the manifest or, where that
    folder cannot be written, in the cache folder. Safe when several processes build at once.

    Raises:
        DataError: the file is empty, is no manifest, or has lines of more than 64 MiB.
        OnseiError: no room or no right to write the index.
    """
    beside, cached = manifest.parent / ".onsei", cache_folder() / "manifests"
    for folder in (beside, cached):
        found = _load(folder, manifest.name, key)
        if found is not None:
            return found
    form = _form(manifest)
    folder = beside if _writable(beside) else cached
    try:
        _build(manifest, folder, key, form)
    except OnseiError:
        # Windows refuses to replace a file that another process, which was faster, has mapped already.
        if _load(folder, manifest.name, key) is None:
            raise
    _remove_stale(folder, manifest.name, key)
    if key_of(manifest) != key:
        raise DataError(f"{manifest}: changed while it was indexed", "wait until it is written, then try again")
    built = _load(folder, manifest.name, key)
    if built is None:
        raise DataError(f"{manifest}: its index in {folder} cannot be read back", f"remove {folder}, then try again")
    return built


def _files(folder: Path, name: str, key: str) -> tuple[Path, Path, Path]:
    stem = f"{name}-{key}"
    return folder / f"{stem}.offsets.npy", folder / f"{stem}.durations.npy", folder / f"{stem}.json"


def _load(folder: Path, name: str, key: str) -> Index | None:
    """None where there is no whole index: it is written again."""
    where, seconds, about = _files(folder, name, key)
    try:
        facts = Facts(**json.loads(about.read_text(encoding="utf-8")))
        offsets = np.load(where, mmap_mode="r", allow_pickle=False)
        durations = np.load(seconds, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, TypeError, EOFError):
        return None
    whole = offsets.shape == (facts.rows + 1,) and durations.shape == (facts.rows,)
    return Index(facts, offsets, durations) if whole else None


def _writable(folder: Path) -> bool:
    # os.access does not know read-only mounts and Windows' rights: only a trial tells. To root all trials succeed,
    # so that a folder marked read-only is left alone by its mark.
    if not folder.exists() and not folder.parent.stat().st_mode & 0o222:
        return False
    try:
        folder.mkdir(exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
        (folder / ".gitignore").write_text("*\n", encoding="utf-8")
    except OSError:
        return False
    return True


def _remove_stale(folder: Path, name: str, key: str) -> None:
    pattern = re.compile(re.escape(name) + r"-[0-9a-f]{16}\.(?:offsets\.npy|durations\.npy|json)")
    keep = set(_files(folder, name, key))
    for path in folder.iterdir():
        if pattern.fullmatch(path.name) and path not in keep:
            try:
                path.unlink()
            except OSError:  # mapped by another process on Windows: the next build removes it
                continue


def _form(manifest: Path) -> Form:
    with manifest.open("rb") as file:
        head = file.read(_EDGE)
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    first = text.splitlines()[0] if text else b""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(f"{manifest}: expected UTF-8, found UTF-16", "save the manifest as UTF-8")
    if not text:
        raise DataError(f"{manifest}: holds no rows", "name a manifest with one JSON object a line")
    if samples.is_samples(text):
        return "samples"
    if first.startswith(b"{"):
        if first.rstrip() == b"{":
            raise DataError(f"{manifest}: an object over several lines", "write each row as JSON on one line (JSONL)")
        return "jsonl"
    if first.startswith(b"[") or b"," not in first or b"\0" in first:
        mend = "write one JSON object a line, or `audio path,text path`"
        raise DataError(f"{manifest}: expected JSONL or CSV, found a line that starts {first[:40]!r}", mend)
    return "csv"


def _build(manifest: Path, folder: Path, key: str, form: Form) -> None:
    if form == "samples":
        _build_of_samples(manifest, folder, key)
        return
    where, seconds, about = _files(folder, manifest.name, key)
    content = hashlib.blake2b(digest_size=16)
    with ExitStack() as stack:
        offsets = stack.enter_context(_array_written(where, np.dtype("<u8")))
        durations = stack.enter_context(_array_written(seconds, np.dtype("<f4")))
        advance = stack.enter_context(progress(f"indexing {manifest.name}", manifest.stat().st_size))
        rows = 0
        for start, lines in _blocks(manifest):
            content.update(lines)
            starts, ends = _line_places(lines)
            offsets(starts + np.uint64(start))
            durations(np.full(len(starts), np.nan) if form == "csv" else _durations(lines, starts, ends))
            rows += len(starts)
            advance(len(lines), rows > _SHOW_FROM)
        offsets(np.array([manifest.stat().st_size]))
    if not rows:
        raise DataError(f"{manifest}: holds no rows", "name a manifest with one JSON object a line")
    write_text(about, json.dumps(asdict(Facts(rows, content.hexdigest(), form))))


def _build_of_samples(manifest: Path, folder: Path, key: str) -> None:
    where, seconds, about = _files(folder, manifest.name, key)
    found = samples.read(manifest)
    with ExitStack() as stack:
        stack.enter_context(_array_written(where, np.dtype("<u8")))(found.offsets)
        stack.enter_context(_array_written(seconds, np.dtype("<f4")))(found.durations)
    content = hashlib.blake2b(manifest.read_bytes(), digest_size=16).hexdigest()
    write_text(about, json.dumps(asdict(Facts(len(found.durations), content, "samples", found.root))))


def _blocks(manifest: Path) -> Iterator[tuple[int, bytes]]:
    """Whole lines, about 16 MiB at a time, with their place in the file. A byte order mark is left out."""
    with manifest.open("rb") as file:
        start = 3 if file.read(3) == b"\xef\xbb\xbf" else 0
        file.seek(start)
        rest = b""
        while block := file.read(_BLOCK):
            cut = block.rfind(b"\n") + 1
            if cut:
                yield start, rest + block[:cut]
                start += len(rest) + cut
                rest = block[cut:]
            else:
                rest += block
                if len(rest) > _LONGEST_LINE:
                    raise DataError(f"{manifest}: a line of more than 64 MiB", "write one JSON object a line")
        if rest:
            yield start, rest


def _line_places(lines: bytes) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """Starts and ends of the lines that are not blank."""
    data = np.frombuffer(lines, dtype=np.uint8)
    ends = np.flatnonzero(data == ord("\n"))
    if not lines.endswith(b"\n"):
        ends = np.append(ends, len(data))
    starts = np.concatenate([[0], ends[:-1] + 1])
    padded = np.append(data, np.uint8(ord("\n")))
    keep = ~np.isin(padded[starts], _SPACE)
    for i in np.flatnonzero(~keep).tolist():
        keep[i] = bool(lines[starts[i] : ends[i]].strip())
    return starts[keep].astype(np.uint64), ends[keep]


def _durations(lines: bytes, starts: npt.NDArray[np.uint64], ends: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Durations of the lines: by one search over the block; lines that are not flat and plain are read as JSON."""
    found = list(_DURATION.finditer(lines))
    line = np.searchsorted(ends, [match.start() for match in found])
    braces = np.flatnonzero(np.frombuffer(lines, dtype=np.uint8) == ord("{"))
    objects = np.bincount(np.searchsorted(ends, braces), minlength=len(ends) + 1)[: len(ends)]
    plain = (np.bincount(line, minlength=len(ends)) == 1) & (objects == 1)
    seconds = np.full(len(ends), np.nan)
    if found:
        seconds[line] = np.array([match[1] for match in found]).astype(np.float64)
    for i in np.flatnonzero(~plain).tolist():
        seconds[i] = _duration(lines[int(starts[i]) : ends[i]])
    return seconds


def _duration(line: bytes) -> float:
    if b'"duration"' not in line:
        return float("nan")
    try:
        value = json.loads(line)["duration"]
        return float(value) if isinstance(value, int | float) else float("nan")
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError):
        return float("nan")  # the line's fault is told when the row is read


@contextmanager
def _array_written(target: Path, dtype: np.dtype[Any]) -> Iterator[Callable[[npt.NDArray[Any]], None]]:
    """Write a one-dimensional .npy file part by part, aside, renamed at the end."""
    with written_aside(target) as aside, aside.open("wb") as file:
        total = 0
        _write_header(file, dtype, 0)

        def append(part: npt.NDArray[Any]) -> None:
            nonlocal total
            file.write(part.astype(dtype).tobytes())
            total += len(part)

        yield append
        file.seek(0)
        _write_header(file, dtype, total)


def _write_header(file: IO[bytes], dtype: np.dtype[Any], length: int) -> None:
    header = {"descr": dtype.str, "fortran_order": False, "shape": (length,)}
    np.lib.format.write_array_header_1_0(file, header)
    assert file.tell() == 128, "numpy pads headers so that the length can be written last"
