"""What is measured of a model."""

from onsei.systems.translation.evaluation.verb import evaluate

__all__ = ["evaluate"]
