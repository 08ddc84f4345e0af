"""Downloads of large files: resumed where they broke off, checked, and whole or not there at all."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import httpx2 as httpx

from onsei.data.progress import transfer
from onsei.errors import DataError

ATTEMPTS = 6
"""How often a download that makes no headway is tried before it is given up."""
_TIMEOUT = httpx.Timeout(30.0)
_BLOCK = 1 << 20
_LONGEST_PAGE = 1 << 26


@dataclass(frozen=True)
class Remote:
    """A file somewhere else."""

    url: str
    """An http or https address."""
    digest: str = ""
    """``md5:…`` or ``sha256:…``; empty where its publisher tells none."""
    token: str = field(default="", repr=False)
    """What the server is shown as bearer's token; another server that it leads to is not."""

    @property
    def name(self) -> str:
        """The file name at the end of the address."""
        return Path(unquote(urlsplit(self.url).path)).name


def download(remote: Remote, folder: Path, *, pause: Callable[[float], None] = time.sleep) -> Path:
    """Bring ``remote`` to ``folder`` and return the file there; one that is there already is checked and taken.

    A download that breaks off leaves ``NAME.part``; the next call asks for the rest, if the server's file is still the
    same, and begins anew where it is not or the server sends all of it. Where nothing tells whether it is the same, a
    checksum has to.

    Args:
        remote: what to fetch.
        folder: made where missing.
        pause: how to wait between attempts, given seconds.

    Raises:
        DataError: not found, refused or broken off for good; not what its checksum says (what came is removed); no
            room or no right to write.
    """
    if urlsplit(remote.url).scheme not in ("http", "https") or not remote.name:
        raise DataError(f"{remote.url}: expected an http or https address of a file", "check the address")
    target = folder / remote.name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if target.exists():
            _check(target, remote)
            return target
        part = _Part(target)
        _fetch(remote, part, pause)
        _check(part.path, remote, remove=part.remove)
        part.finish(target)
    except OSError as error:
        raise _no_room(target, error) from error
    return target


def listing(url: str, suffix: str) -> list[str]:
    """Addresses ending in ``suffix`` that the page ``url`` links to, in order and each once.

    Raises:
        DataError: the page cannot be had, or links to none.
    """
    try:
        with httpx.stream("GET", url, timeout=_TIMEOUT, follow_redirects=True) as answer:
            if answer.status_code != HTTPStatus.OK:
                raise _refused(url, answer.status_code)
            page = bytearray()
            for block in answer.iter_bytes(_BLOCK):
                page += block
                if len(page) > _LONGEST_PAGE:
                    raise DataError(f"{url}: a page of more than 64 MiB", "check the address")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise _unreachable(url, error) from error
    links = _Links()
    links.feed(page.decode("utf-8", errors="replace"))
    found = [urljoin(url if url.endswith("/") else f"{url}/", link) for link in links.found]
    found = [link for link in dict.fromkeys(found) if urlsplit(link).path.endswith(suffix)]
    if not found:
        raise DataError(f"{url}: the page links to no {suffix}", "check the address")
    return found


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found += [value for name, value in attrs if name == "href" and value]


class _Part:
    """What has come so far, and which of the server's files it is a part of."""

    def __init__(self, target: Path) -> None:
        self.path = target.with_name(f"{target.name}.part")
        self._about = target.with_name(f"{target.name}.part.json")

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def mark(self, url: str) -> str:
        """What tells whether the server's file is the one begun: its ETag or time of change; empty: unknown."""
        try:
            about: dict[str, Any] = json.loads(self._about.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return ""
        return str(about.get("mark", "")) if about.get("url") == url else ""

    def begin(self, url: str, mark: str) -> None:
        self.path.write_bytes(b"")
        self._about.write_text(json.dumps({"url": url, "mark": mark}), encoding="utf-8")

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
        self._about.unlink(missing_ok=True)

    def finish(self, target: Path) -> None:
        with self.path.open("rb+") as file:
            os.fsync(file.fileno())
        self.path.replace(target)
        self._about.unlink(missing_ok=True)


def _fetch(remote: Remote, part: _Part, pause: Callable[[float], None]) -> None:
    """Ask until all is there; attempts count from the last headway."""
    failed = 0
    with (
        transfer(f"downloading {remote.name}") as show,
        httpx.Client(timeout=_TIMEOUT, follow_redirects=True) as client,
    ):
        while True:
            before = part.size
            try:
                if _ask(client, remote, part, show):
                    return
                error: Exception | None = None
            except httpx.TransportError as broken:
                error = broken
            except (httpx.HTTPError, httpx.InvalidURL) as broken:
                raise _unreachable(remote.url, broken) from broken
            failed = 1 if part.size > before else failed + 1
            if failed >= ATTEMPTS:
                raise _unreachable(remote.url, error, part.size)
            pause(min(2.0 ** (failed - 1), 30.0))


def _ask(client: httpx.Client, remote: Remote, part: _Part, show: Callable[[int, int | None], None]) -> bool:
    """One request; True where the file is whole now, False where the server is to be asked again."""
    held, mark = part.size, part.mark(remote.url)
    # Without compression on the way: ranges count the bytes of the file.
    headers = {"Accept-Encoding": "identity"}
    if held and (mark or remote.digest):
        headers |= {"Range": f"bytes={held}-"} | ({"If-Range": mark} if mark else {})
    if remote.token:
        headers["Authorization"] = f"Bearer {remote.token}"
    with client.stream("GET", remote.url, headers=headers) as answer:
        if answer.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            if _total(answer) == held:
                return True
            part.remove()
            return False
        if answer.status_code in (429, 500, 502, 503, 504):
            return False
        if answer.status_code not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
            raise _refused(remote.url, answer.status_code)
        if answer.status_code == HTTPStatus.OK:
            part.begin(remote.url, _mark(answer))
            held = 0
        elif _first(answer) != held:
            part.remove()
            return False
        total = _total(answer)
        free = shutil.disk_usage(part.path.parent).free
        if total is not None and total - held > free:
            raise OSError(errno.ENOSPC, f"{(total - held) / 2**20:.0f} MiB are needed")
        with part.path.open("ab") as file:
            show(held, total)
            for block in answer.iter_raw():
                file.write(block)
                show(file.tell(), total)
        return total is None or part.size == total


def _mark(answer: httpx.Response) -> str:
    tag = str(answer.headers.get("ETag", ""))
    return str(answer.headers.get("Last-Modified", "")) if not tag or tag.startswith("W/") else tag


def _first(answer: httpx.Response) -> int | None:
    match = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
    return int(match[1]) if match else None


def _total(answer: httpx.Response) -> int | None:
    """Bytes of the whole file, where the server tells."""
    match = re.search(r"/(\d+)$", answer.headers.get("Content-Range", ""))
    if match:
        return int(match[1])
    length = str(answer.headers.get("Content-Length", ""))
    return int(length) if answer.status_code == HTTPStatus.OK and length.isdigit() else None


def _check(path: Path, remote: Remote, remove: Callable[[], None] | None = None) -> None:
    kind, _, expected = remote.digest.partition(":")
    if not expected:
        return
    digest = hashlib.new(kind, usedforsecurity=False)
    size, done = path.stat().st_size, 0
    with path.open("rb") as file, transfer(f"checking {remote.name}") as show:
        while block := file.read(_BLOCK):
            digest.update(block)
            done += len(block)
            show(done, size)
    if digest.hexdigest() == expected:
        return
    found = f"{path}: {kind} {digest.hexdigest()}, expected {expected}"
    if remove is None:
        raise DataError(f"{found}: not the file of {remote.url}", "move it away, or name another --download-dir")
    remove()
    raise DataError(f"{found}; what came was removed", "run the same command again, or fetch the file another way")


def _refused(url: str, status: int) -> DataError:
    mend = "check the address; where the corpus has moved, --url gives another, or name a file that you have"
    return DataError(f"{url}: the server answers {status}", mend)


def _unreachable(url: str, error: Exception | None, held: int = 0) -> DataError:
    reason = f"{type(error).__name__}: {error}" if error else "the server does not send it"
    kept = f"; {held / 2**20:.1f} MiB are kept" if held else ""
    return DataError(f"{url}: {reason}{kept}", "check the network, then run the same command again: it goes on")


def _no_room(target: Path, error: OSError) -> DataError:
    reason = error.strerror or str(error)
    mend = "free room, or name another --download-dir; what came is kept" if error.errno == errno.ENOSPC else ""
    return DataError(f"{target}: cannot be written ({reason})", mend or "name a --download-dir you may write to")
