"""Options of a training run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from onsei.config import Fraction, NonNegative, Positive, flag, options
from onsei.systems.song.config.network import Codec, Network
from onsei.training.options import Training


@options
class Objective:
    """What is learned, and what is left out by chance so that guidance works (Ho and Salimans 2022)."""

    diffusion: NonNegative = 0.1
    """What the diffusion's squared error weighs against the cross entropy of the sketch."""
    h_dropout: Fraction = 0.05
    """Share of blocks whose diffusion does without the hidden state, and share without the sketch, each by chance of
    its own."""
    block_dropout: Fraction = 0.0
    """Share of blocks whose diffusion does without both, beside these."""
    cfg_dropout: Fraction = 0.1
    """Share of songs without lyrics and prompt."""
    prompt_dropout: Fraction = 0.1
    """Share of songs without prompt, beside these."""
    lyrics_dropout: Fraction = 0.0
    """Share of songs without lyrics, beside these."""


@options
class Optimizer:
    """AdamW (Loshchilov and Hutter 2019)."""

    learning_rate: Annotated[Positive, flag("--lr")] = 1e-4
    """Learning rate behind the warm-up."""
    beta1: Fraction = 0.9
    """Decay of the mean of gradients."""
    beta2: Fraction = 0.95
    """Decay of the mean of squared gradients."""
    weight_decay: NonNegative = 0.01
    """Weight decay of matrices; vectors and embeddings have none."""


@options
class Train:
    """Train a singer from scratch, or fine-tune one."""

    output_dir: Path
    """Folder of the run: checkpoints, metrics, and at the end the model."""
    network: Network = Network()
    """Sizes of the network."""
    codec: Codec = Codec()
    """Sizes of the codec."""
    objective: Objective = Objective()
    """Losses and dropouts."""
    optimization: Optimizer = Optimizer()
    """The optimizer."""
    training: Training = Training()
    """The clock: epochs, precision, checkpoints, trackers."""
