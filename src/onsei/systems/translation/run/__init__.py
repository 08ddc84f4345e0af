"""All stages with one command."""

from onsei.systems.translation.run.verb import run

__all__ = ["run"]
