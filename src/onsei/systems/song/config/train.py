"""Options of a training run."""

from __future__ import annotations

from pathlib import Path

from onsei.config import options
from onsei.systems.song.config.network import Codec, Network
from onsei.training.options import Training


@options
class Train:
    """Train a singer from scratch, or fine-tune one."""

    output_dir: Path
    """Folder of the run: checkpoints, metrics, and at the end the model."""
    network: Network = Network()
    """Sizes of the network."""
    codec: Codec = Codec()
    """Sizes of the codec."""
    training: Training = Training()
    """The clock: epochs, precision, checkpoints, trackers."""
