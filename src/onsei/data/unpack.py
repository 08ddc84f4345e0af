"""Archives become folders: whole or not there at all, without a path that leads outside, and resumed after a stop."""

from __future__ import annotations

import io
import json
import lzma
import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

from onsei.data.progress import transfer
from onsei.errors import DataError

SUFFIXES = (".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar", ".zip")
_BLOCK = 1 << 20
_MOST = 200
"""An archive that grows beyond this many times its size, and a gigabyte, is no corpus but a trap."""
_MARK = ".onsei-unpacked.json"
_DAMAGE = (tarfile.ReadError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, NotImplementedError)


class ArchiveError(DataError):
    """An archive that is damaged, cut short, hostile, or none at all."""


def stem(archive: Path) -> str:
    """The name of an archive without what tells its kind."""
    name = archive.name
    suffix = next((suffix for suffix in SUFFIXES if name.lower().endswith(suffix)), "")
    return name[: len(name) - len(suffix)] or name


def is_archive(path: Path) -> bool:
    """Whether the name of ``path`` is that of an archive that can be unpacked."""
    return path.name.lower().endswith(SUFFIXES)


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack ``archive`` to a folder of its name within ``folder`` and return that; nothing is done where it has been.

    Files come to a folder aside, each under its name only when it is whole; that folder takes its place when all are
    there. A call that was stopped goes on with the files that are missing. Links may lead within the archive only.

    Raises:
        ArchiveError: not an archive, cut short or damaged, or a member that leads outside.
        DataError: more data than a corpus has, no room, or a folder of that name that came from elsewhere.
    """
    if not archive.is_file():
        raise DataError(f"{archive}: no such archive", "check the path")
    target, mark = folder / stem(archive), {"archive": archive.name, "size": archive.stat().st_size}
    if target.exists():
        if _read_mark(target) == mark:
            return target
        raise DataError(f"{target}: exists already, and not from this {archive.name}", "name another --unpack-dir")
    aside = folder / f".{stem(archive)}.{mark['size']}.unpacking"
    try:
        aside.mkdir(parents=True, exist_ok=True)
        (_unpack_zip if zipfile.is_zipfile(archive) else _unpack_tar)(archive, aside)
        (aside / _MARK).write_text(json.dumps(mark), encoding="utf-8")
        aside.rename(target)
    except _DAMAGE as error:
        shutil.rmtree(aside, ignore_errors=True)
        reason = f"{type(error).__name__}: {error}"
        raise ArchiveError(f"{archive}: damaged, cut short, or no archive ({reason})", "fetch it again") from error
    except DataError:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        mend = "free room, or name a --unpack-dir that you may write to; then run the same command again: it goes on"
        raise DataError(f"{archive}: cannot be unpacked to {folder} ({reason})", mend) from error
    return target


def unpacked(name: str, folder: Path) -> Path | None:
    """The folder within ``folder`` that the archive ``name`` was unpacked to, if it was."""
    target = folder / stem(Path(name))
    return target if _read_mark(target).get("archive") == name else None


def _read_mark(folder: Path) -> dict[str, Any]:
    try:
        mark = json.loads((folder / _MARK).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return mark if isinstance(mark, dict) else {}


def _unpack_tar(archive: Path, aside: Path) -> None:
    if not hasattr(tarfile, "data_filter"):
        raise DataError(f"{archive}: this Python cannot unpack archives safely", "update to Python 3.11.4 or newer")
    with _shown(archive) as file, tarfile.open(fileobj=file, mode="r:*") as content:
        limit = _limit(archive)
        for member in content:
            try:
                safe = tarfile.data_filter(member, str(aside))
            except tarfile.FilterError as error:
                raise _hostile(archive, member.name, str(error)) from error
            target = aside / safe.name
            limit -= safe.size
            _check_size(archive, limit)
            if safe.isdir():
                target.mkdir(parents=True, exist_ok=True)
            elif safe.isreg():
                data = content.extractfile(member)
                assert data is not None, "a regular file has data"
                _write(data, target, safe.size)
            elif not os.path.lexists(target):  # a link: within the archive, as the filter has seen to
                content.extract(member, aside, filter="data")


def _unpack_zip(archive: Path, aside: Path) -> None:
    with _shown(archive) as file, zipfile.ZipFile(file) as content:
        limit = _limit(archive)
        for member in content.infolist():
            name = PurePosixPath(member.filename.replace("\\", "/"))
            drive = ":" in name.parts[0] if name.parts else False
            if name.is_absolute() or ".." in name.parts or drive:
                raise _hostile(archive, member.filename, "leads outside")
            if stat.S_ISLNK(member.external_attr >> 16):
                raise _hostile(archive, member.filename, "a link in a zip file")
            if member.flag_bits & 1:
                raise DataError(f"{archive}: {member.filename} is encrypted", "unpack it by hand")
            limit -= member.file_size
            _check_size(archive, limit)
            if member.is_dir():
                (aside / name).mkdir(parents=True, exist_ok=True)
            else:
                with content.open(member) as data:
                    _write(data, aside / name, member.file_size)


def _write(data: IO[bytes], target: Path, size: int) -> None:
    if target.is_file() and not target.is_symlink() and target.stat().st_size == size:
        return  # whole: an earlier call came so far
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f".{target.name[:80]}.part")
    written = 0
    with aside.open("wb") as file:
        while block := data.read(min(_BLOCK, size + 1 - written)):
            written += file.write(block)
            if written > size:
                break
    if written != size:
        raise EOFError(f"{target.name}: {written} bytes of {size}")
    aside.replace(target)


def _hostile(archive: Path, member: str, reason: str) -> ArchiveError:
    mend = "do not trust this archive: fetch it from its publisher"
    return ArchiveError(f"{archive}: refused: member {member[:200]!r}: {reason}", mend)


def _limit(archive: Path) -> int:
    return _MOST * archive.stat().st_size + 2**30


def _check_size(archive: Path, left: int) -> None:
    if left < 0:
        found = f"unpacks to more than {_limit(archive) / 2**30:.1f} GiB"
        raise DataError(f"{archive}: {found}, too much for its size", "unpack it by hand if you trust it")


@contextmanager
def _shown(archive: Path) -> Iterator[IO[bytes]]:
    """The open archive; a bar shows how far it has been read."""
    size = archive.stat().st_size
    with transfer(f"unpacking {archive.name}") as show, _Watched(archive, lambda place: show(place, size)) as file:
        yield file


class _Watched(io.BufferedReader):
    """A file that tells where it is read."""

    def __init__(self, path: Path, told: Callable[[int], None]) -> None:
        super().__init__(io.FileIO(path))
        self._told = told

    def read(self, size: int | None = -1, /) -> bytes:
        self._told(self.tell())
        return super().read(size)
