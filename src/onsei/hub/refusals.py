"""What a refusal of the Hub means, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from onsei.errors import ModelError

TOKEN_VARIABLES = ("HF_TOKEN", "HUGGINGFACE_HUB_TOKEN", "HUGGINGFACE_TOKEN")
"""Environment variables that may hold a Hub token; the first that is set counts, then the login that is stored."""
_LOCAL = "or pass the path of a local folder with its files instead of the name"


@dataclass(frozen=True)
class _Refusal:
    """An error of the Hub's library, taken apart."""

    kinds: frozenset[str]
    """Names of the classes of the error and of what caused it."""
    status: int | None
    """Of the HTTP answer."""
    cause: str
    """The first cause in words."""

    @classmethod
    def of(cls, error: Exception) -> _Refusal:
        chain = list(_causes(error))
        kinds = frozenset(kind.__name__ for cause in chain for kind in type(cause).__mro__)
        status = next((code for cause in chain if (code := _status(cause)) is not None), None)
        return cls(kinds, status, f"{type(chain[-1]).__name__}: {str(chain[-1]).strip()[:200]}")


def reading(repo_id: str, revision: str | None, error: Exception, kind: str = "model") -> ModelError:
    """Why a repository of a ``kind`` could not be fetched."""
    found = _Refusal.of(error)
    where = f"{kind} {repo_id!r}" + (f" (revision {revision!r})" if revision else "")
    token = f"set {_variables()} to a token that may read it"
    if "RevisionNotFoundError" in found.kinds:
        return ModelError(
            f"{where}: the Hub has the {kind}, but no such revision", f"check the branch, tag or commit, {_LOCAL}"
        )
    if "OfflineModeIsEnabled" in found.kinds:
        message = f"{where}: not in the local Hub cache, and HF_HUB_OFFLINE forbids fetching it"
        return ModelError(message, f"unset HF_HUB_OFFLINE while the network is there, {_LOCAL}")
    if found.status == 403 or "GatedRepoError" in found.kinds:
        message = (
            f"{where}: the Hub refuses access ({found.status}): it is gated, or the token lacks the right to read it"
        )
        return ModelError(message, f"ask for access on the {kind}'s page and {token}, {_LOCAL}")
    if found.status == 401:
        message = f"{where}: the Hub refuses access (401): it is private or does not exist, or the token is not valid"
        return ModelError(message, f"check the name and {token}, {_LOCAL}")
    if found.status == 404:
        message = f"{where}: no folder of that name is here, and the Hub has none that you may see (404)"
        return ModelError(message, f"check the name; where it is private, {token}; {_LOCAL}")
    if found.status is not None:
        return ModelError(f"{where}: the Hub answered with status {found.status}", f"try again later, {_LOCAL}")
    message = f"{where}: no folder of that name is here, and it could not be fetched from the Hub ({found.cause})"
    return ModelError(message, f"check the network (HF_ENDPOINT, proxies); where it is private, {token}; {_LOCAL}")


def writing(repo_id: str, step: str, error: Exception) -> ModelError:
    """Why ``step`` (``be made``, ``be written to``) failed for a repository."""
    found = _Refusal.of(error)
    where = f"repository {repo_id!r} could not {step}"
    token = f"set {_variables()} to a token with the right to write to {repo_id.partition('/')[0]!r}"
    if "OfflineModeIsEnabled" in found.kinds:
        return ModelError(f"{where}: HF_HUB_OFFLINE forbids it", "unset HF_HUB_OFFLINE while the network is there")
    if found.status == 401:
        return ModelError(f"{where}: the Hub refuses the token (401): it is not valid or has run out", token)
    if found.status == 403:
        return ModelError(f"{where}: the Hub refuses (403): the token lacks the right", f"check the name, or {token}")
    if found.status == 409:
        return ModelError(
            f"{where}: it is there already (409); nothing was sent",
            "choose another name, or give --force to add a commit to it; its older commits stay",
        )
    if found.status == 404:
        return ModelError(f"{where}: the Hub has none that you may see (404)", f"check the name, or {token}")
    if found.status is not None:
        return ModelError(f"{where}: the Hub answered with status {found.status} ({found.cause})", "try again later")
    return ModelError(f"{where}: {found.cause}", "check the network (HF_ENDPOINT, proxies), then try again")


def no_token(repo_id: str) -> ModelError:
    """That nothing can be written without a token."""
    return ModelError(
        f"repository {repo_id!r}: writing needs a Hub token, and there is none",
        f"set {_variables()} to a token with the right to write, or run `hf auth login` once",
    )


def _variables() -> str:
    return f"{TOKEN_VARIABLES[0]} (or {TOKEN_VARIABLES[1]}, {TOKEN_VARIABLES[2]})"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _status(error: BaseException) -> int | None:
    response: Any = getattr(error, "response", None)
    code = getattr(response, "status_code", None)
    return code if isinstance(code, int) else None
