"""What a model folder's configuration holds."""

from __future__ import annotations

from onsei.config import options
from onsei.systems.song.config.network import Codec, Network


@options
class Tokens:
    """What sketch tokens mean."""

    codebook: str = ""
    """Fingerprint of the codebook; empty where none is known, as of the released checkpoints."""


@options
class Saved:
    """Sizes, and what sketch tokens mean."""

    network: Network
    """Sizes of the network."""
    codec: Codec
    """The codec."""
    sketch: Tokens = Tokens()
    """Sketch tokens."""
