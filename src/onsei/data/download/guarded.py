"""A sound at an address that a user names, brought within limits: of bytes, of time, and of where it may come from."""

from __future__ import annotations

import ipaddress
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path, PurePosixPath
from typing import IO
from urllib.parse import unquote, urljoin, urlsplit

import httpx2 as httpx

from onsei.data.progress import transfer
from onsei.errors import DataError

_REDIRECTS = 5
_PAGES = ("text/html", "application/xhtml+xml", "application/json", "text/css", "text/javascript")
_MARKUP = (b"<!doctype", b"<html", b"<?xml", b"<head", b"<body")
_EMBEDDED = tuple(ipaddress.ip_network(net) for net in ("64:ff9b::/96", "64:ff9b:1::/48"))
"""IPv6 networks whose last 32 bits are an IPv4 address."""


@dataclass(frozen=True)
class Limits:
    """What a sound from the network may cost."""

    size: int = 512 * 2**20
    """Bytes."""
    seconds: float = 120.0
    """For all of it: connecting, redirects, download."""


@contextmanager
def fetched(url: str, limits: Limits | None = None) -> Iterator[Path]:
    """A temporary file with what ``url`` answers; it is gone afterwards.

    Only http and https. Names are resolved here, the connection goes to the very address that was checked, and neither
    a name nor a redirect may lead to this machine or a private network; an address that the user wrote as a number, or
    ``localhost``, is taken at its word, but never as the target of a redirect. Proxies are not used, since they would
    resolve the name themselves. What comes is written to disk block by block.

    Raises:
        DataError: another scheme, an address that may not be asked, a refusal, a page in place of a sound, more bytes
            or seconds than ``limits``, or a broken connection.
    """
    limits = limits or Limits()
    with tempfile.TemporaryDirectory(prefix="onsei-") as folder:
        target = Path(folder) / _name(url)
        try:
            _fetch(url, target, limits, time.monotonic() + limits.seconds)
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            raise DataError(f"{url}: {reason}", "check the address and the network") from error
        except OSError as error:
            raise DataError(f"{url}: {error.strerror or error}", "free room for temporary files") from error
        yield target


def is_address(text: str) -> bool:
    """Whether ``text`` is an address rather than a path: it begins with a scheme and ``://``."""
    scheme, found, _ = text.partition("://")
    return bool(found) and len(scheme) > 1 and scheme.replace("+", "").replace("-", "").isalnum()


def is_public(address: str) -> bool:
    """Whether an IP address is one of the open internet: not of this machine, a private network, or no host's at all.

    IPv4 addresses inside IPv6 ones (mapped, 6to4, Teredo, NAT64) count as themselves.
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped:
            return is_public(str(ip.ipv4_mapped))
        inner = [ip.sixtofour, *(ip.teredo or ())]
        inner += [ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)] if any(ip in net for net in _EMBEDDED) else []
        if any(one is not None and not is_public(str(one)) for one in inner):
            return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


def _fetch(url: str, target: Path, limits: Limits, until: float) -> None:
    with httpx.Client(trust_env=False, follow_redirects=False, timeout=_left(url, until, limits)) as client:
        asked = url
        for turn in range(_REDIRECTS + 1):
            with _asked(client, asked, _reachable(asked, typed=turn == 0), _left(url, until, limits)) as answer:
                if answer.is_redirect and answer.headers.get("Location"):
                    asked = urljoin(asked, answer.headers["Location"])
                    continue
                _check_answer(url, answer, limits)
                with target.open("wb") as file:
                    _copy(url, answer, file, limits, until)
                return
    raise DataError(f"{url}: more than {_REDIRECTS} redirects", "check the address")


@contextmanager
def _asked(client: httpx.Client, url: str, address: str, timeout: httpx.Timeout) -> Iterator[httpx.Response]:
    """The answer of the host ``address`` to a request for ``url``."""
    parts = httpx.URL(url)
    host = parts.raw_host.decode("ascii")
    # The connection goes to the checked address; the certificate is still that of the name.
    request = client.build_request(
        "GET",
        parts.copy_with(host=address),
        headers={"Host": parts.netloc.decode("ascii"), "Accept-Encoding": "identity"},
        extensions={"sni_hostname": host, "timeout": timeout.as_dict()},
    )
    answer = client.send(request, stream=True)
    try:
        yield answer
    finally:
        answer.close()


def _reachable(url: str, *, typed: bool) -> str:
    """The IP address to ask for ``url``. ``typed``: the user wrote it, it is no redirect."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        where = "" if typed else ": where the redirect leads"
        raise DataError(f"{url[:200]}{where}: only http and https are asked", "name a file by its path")
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except (OSError, ValueError, UnicodeError) as error:
        raise DataError(f"{url[:200]}: no such host ({error})", "check the address and the network") from None
    addresses = [str(entry[4][0]) for entry in found]
    explicit = typed and (_is_number(parts.hostname) or parts.hostname.lower() == "localhost")
    refused = [address for address in addresses if not is_public(address)]
    if refused and not explicit:
        how = f"the name {parts.hostname}" if typed else "a redirect"
        raise DataError(
            f"{url[:200]}: {how} leads to {refused[0]}, which is on this machine or a private network",
            "download the sound yourself and name the file",
        )
    return addresses[0].partition("%")[0]


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _check_answer(url: str, answer: httpx.Response, limits: Limits) -> None:
    if answer.status_code != HTTPStatus.OK:
        raise DataError(f"{url}: the server answers {answer.status_code}", "check the address")
    kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind in _PAGES:
        raise DataError(f"{url}: a page ({kind}), no sound", "name the address of the sound itself")
    if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
        packed = answer.headers["Content-Encoding"]
        raise DataError(f"{url}: sent packed as {packed}, though plain was asked for", "download it by other means")
    length = answer.headers.get("Content-Length", "")
    if length.isdecimal() and int(length) > limits.size:
        raise _too_large(url, f"{int(length) / 2**20:.0f} MiB", limits)


def _copy(url: str, answer: httpx.Response, file: IO[bytes], limits: Limits, until: float) -> None:
    length = answer.headers.get("Content-Length", "")
    total = int(length) if length.isdecimal() else None
    done = 0
    with transfer(f"fetching {_name(url)}") as show:
        for block in answer.iter_raw():
            if not done and block.lstrip(b"\xef\xbb\xbf \r\n\t")[:9].lower().startswith(_MARKUP):
                raise DataError(f"{url}: a page, no sound", "name the address of the sound itself")
            done += len(block)
            if done > limits.size:
                raise _too_large(url, "what it sends", limits)
            _left(url, until, limits)
            file.write(block)
            show(done, total)
    if not done:
        raise DataError(f"{url}: nothing came", "check the address")


def _left(url: str, until: float, limits: Limits) -> httpx.Timeout:
    """What is left of the time, for a wait on the network. DataError where nothing is."""
    left = until - time.monotonic()
    if left <= 0:
        raise DataError(f"{url}: not done within {limits.seconds:g} s", "raise --timeout, or download it yourself")
    return httpx.Timeout(min(left, 30.0))


def _too_large(url: str, found: str, limits: Limits) -> DataError:
    return DataError(
        f"{url}: {found} is more than {limits.size / 2**20:.3g} MiB", "raise --max-megabytes if you trust it"
    )


def _name(url: str) -> str:
    """The last word of the address, for messages and as a file's name."""
    name = PurePosixPath(unquote(urlsplit(url).path)).name if "://" in url else ""
    kept = "".join(letter if letter.isalnum() or letter in "._-" else "_" for letter in name)[-80:]
    return kept.lstrip(".") or "sound"
