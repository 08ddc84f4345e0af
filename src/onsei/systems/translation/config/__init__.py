"""Options of translation: one file a stage, and what a model is asked and answers."""

from onsei.systems.translation.config.answer import Candidate, Request, Translation

__all__ = ["Candidate", "Request", "Translation"]
