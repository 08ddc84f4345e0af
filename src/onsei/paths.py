"""Where onsei keeps its files, and how it writes them so that nothing is lost."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from onsei.errors import OnseiError


def cache_folder() -> Path:
    """Folder for what can be made again (indexes, features): ``$ONSEI_CACHE`` or the platform's cache folder."""
    chosen = os.environ.get("ONSEI_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "onsei" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "onsei"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "onsei"


@contextmanager
def written_aside(target: Path) -> Iterator[Path]:
    """Yield a path beside ``target`` to write a file or folder to; on success it takes the target's place.

    What is written is fsynced first; a reader sees the old content or the new, never a part. On any error what was
    written aside is removed and the old content stays. A full disk is told as such.

    Raises:
        OnseiError: the disk is full or the folder cannot be written.
    """
    target = Path(target)
    aside = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield aside
        _fsync(aside)
        _replace(aside, target)
    except OSError as error:
        _remove(aside)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            free = shutil.disk_usage(target.parent).free / 2**20
            raise OnseiError(
                f"{target}: the disk is full ({free:.0f} MiB free); nothing was overwritten",
                "free some space or choose another folder, then run the same command again",
            ) from error
        if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
            mend = "choose a folder you may write to"
            raise OnseiError(f"{target}: cannot be written ({error.strerror})", mend) from error
        raise
    except BaseException:
        _remove(aside)
        raise


def write_text(target: Path, text: str) -> None:
    """Write ``text`` to ``target`` as UTF-8, whole or not at all."""
    with written_aside(target) as aside:
        aside.write_text(text, encoding="utf-8", newline="\n")


def _fsync(path: Path) -> None:
    for file in [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]:
        with file.open("rb+") as handle:
            os.fsync(handle.fileno())


def _replace(aside: Path, target: Path) -> None:
    if aside.is_dir() and target.exists():
        old = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.old")
        target.rename(old)
        aside.rename(target)
        _remove(old)
    else:
        aside.replace(target)
    if os.name == "posix":
        handle = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
