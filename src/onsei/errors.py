"""The errors that users meet: each names the file or field, what was found, and the mend."""

from __future__ import annotations

from collections.abc import Sequence


class OnseiError(Exception):
    """Base of every error that a user can mend. The command line prints it without a traceback and exits with 2.

    Args:
        message: what is wrong, naming the file or field, what was expected and what was found.
        mend: what the user can do about it, as an imperative sentence. Shown on a line of its own.
    """

    def __init__(self, message: str, mend: str = "") -> None:
        super().__init__(message, mend)
        self.message = message
        self.mend = mend

    def __str__(self) -> str:
        return f"{self.message}\n  → {self.mend}" if self.mend else self.message


class ConfigError(OnseiError):
    """A recipe, flag or request with unknown or ill-typed fields; carries all of them."""

    def __init__(self, message: str, mend: str = "", fields: Sequence[str] = ()) -> None:
        super().__init__(message, mend)
        self.fields = tuple(fields)


class AudioError(OnseiError):
    """A sound or video file that cannot be read as asked."""


class DataError(OnseiError):
    """A manifest or corpus with faults."""


class RunError(OnseiError):
    """A training run that cannot start, go on or be resumed."""


class ModelError(OnseiError):
    """A model folder, checkpoint or Hub repository that cannot be opened."""


class MissingExtraError(OnseiError):
    """A library of an optional extra is not installed."""

    def __init__(self, library: str, extra: str, purpose: str) -> None:
        message = f"{purpose} needs the library {library}, which is not installed"
        super().__init__(message, f"pip install 'onsei[{extra}]'")
