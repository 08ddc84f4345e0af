"""Metrics: what a model's answers are worth, as counts that add up over utterances and processes."""
