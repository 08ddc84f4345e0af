"""Options of fine-tuning by low-rank adapters."""

from __future__ import annotations

from typing import Annotated

from onsei.config import Fraction, Positive, PositiveInt, flag, options


@options
class Lora:
    """Low-rank adapters (Hu et al. 2022) on a network that stays as it is."""

    use_lora: bool = False
    """Train adapters, not the network."""
    rank: Annotated[PositiveInt, flag("--lora-rank")] = 16
    """Rank of the adapters."""
    alpha: Annotated[Positive, flag("--lora-alpha")] = 32.0
    """Scale times rank."""
    dropout: Annotated[Fraction, flag("--lora-dropout")] = 0.0
    """Share of an adapter's inputs that are dropped."""
    targets: Annotated[tuple[str, ...], flag("--lora-targets")] = ("q_proj", "v_proj")
    """Layers that get adapters, by the end of their names: `q_proj k_proj v_proj o_proj gate_proj up_proj down_proj` of
    the language model, `to_qkv to_out` of the diffusion transformer."""
    lora_train_all: bool = False
    """Adapters on all of these."""
    train_tables: bool = True
    """Also train the tables of sketch tokens and of phones, and what scores sketch tokens: a codebook of one's own has
    nothing in common with the released one, which nobody else has, and 19 Japanese phones were never trained."""
