"""Training: the engine and what it asks of a system."""
