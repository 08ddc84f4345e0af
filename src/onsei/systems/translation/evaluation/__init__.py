"""What is measured of a model; of units see ``acoustic.quality``."""

from onsei.systems.translation.evaluation.verb import evaluate

__all__ = ["evaluate"]
