"""Short digests, by which values of ten million rows are compared without being kept."""

from __future__ import annotations

from hashlib import blake2b


def digest(text: str) -> int:
    """8 bytes of a hash of ``text`` as a number, never 0."""
    return number_of(blake2b(text.encode(errors="surrogatepass"), digest_size=8).digest())


def number_of(hashed: bytes) -> int:
    """8 bytes of a hash as a number, never 0."""
    return int.from_bytes(hashed, "little") or 1
