"""Options of the benchmark of training steps."""

from __future__ import annotations

from pathlib import Path

from onsei.config import NonNegativeInt, Positive, PositiveInt, options
from onsei.systems.recognition.config.train import Train


@options
class Benchmark(Train):
    """Measure training steps on noise: whether a batch fits into memory, how much it takes, how fast it goes.

    It takes the options of training, and so its recipes; what concerns data and run folder has no effect.
    """

    train_manifest: Path = Path()
    """Not read."""
    output_dir: Path = Path()
    """Not written."""
    batch_size: PositiveInt | None = None
    """Utterances in a batch; by default the largest that fits is looked for."""
    seconds: Positive = 15.0
    """Length of every utterance, in seconds."""
    num_samples: NonNegativeInt = 0
    """Utterances in a run, made into batches; 0: one batch. Also the largest batch that is looked for, else 1024."""
    dry_runs: NonNegativeInt = 2
    """Runs before the clock starts."""
    runs: PositiveInt = 5
    """Runs that are timed."""
    json: Path | None = None
    """Write the numbers to this file as one flat JSON object; sizes in bytes, times in seconds."""
