"""Training: the engine that owns the clock, checkpoints and trackers."""
