"""Image encoders: a small one from nothing, or a Vision Transformer by name; each with its transform."""

from onsei.systems.translation.images.build import Seeing, built, rebuilt

__all__ = ["Seeing", "built", "rebuilt"]
