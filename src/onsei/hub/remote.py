"""Models from the Hugging Face Hub: the one door to huggingface_hub, with errors that say what to do."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from onsei import __version__
from onsei.errors import ModelError

TOKEN_VARIABLES = ("HF_TOKEN", "HUGGINGFACE_HUB_TOKEN", "HUGGINGFACE_TOKEN")
"""Environment variables that may hold a Hub token; the first that is set counts, then the login that is stored."""
SAFE_FILES = ("*.json", "*.safetensors", "*.md", "*.txt", "*.yaml", "*.model")
"""What is fetched: data only. Pickles (``.bin``, ``.pt``, ``.pkl``) and code (``.py``) stay on the Hub."""
_SKIPPED_FILES = ("checkpoints/*", "*/checkpoints/*")
_PARTS = re.compile(r"[A-Za-z0-9]([\w.-]*[\w])?", re.ASCII)


def fetch(
    repo_id: str,
    *,
    revision: str | None = None,
    token: str | None = None,
    endpoint: str | None = None,
    further: Sequence[str] = (),
) -> Path:
    """Folder with the files of a Hub repository, downloaded now or earlier.

    Args:
        repo_id: ``user/name``.
        revision: branch, tag or commit; the main branch when None.
        token: a Hub token; see ``TOKEN_VARIABLES`` for the others' places.
        endpoint: address of the Hub; ``HF_ENDPOINT`` or the public one when None.
        further: patterns of files to fetch beside ``SAFE_FILES``, for a caller that knows how to read them safely.

    Raises:
        ModelError: the name is none, the repository is missing, private or gated, or the Hub cannot be reached and
            the files are not in its cache.
    """
    _check_name(repo_id)
    from huggingface_hub import snapshot_download

    try:
        folder = snapshot_download(
            repo_id,
            revision=revision,
            token=token or token_from_environment(),
            endpoint=endpoint,
            allow_patterns=[*SAFE_FILES, *further],
            ignore_patterns=list(_SKIPPED_FILES),
            library_name="onsei",
            library_version=__version__,
        )
    except Exception as error:  # requests' or httpx's by the library's version, OSError, ValueError: all end here
        raise _explained(repo_id, revision, error) from error
    return Path(folder)


def list_dataset(repo_id: str, revision: str | None = None) -> list[tuple[Any, str]]:
    """Files of the dataset ``user/name``, as huggingface_hub's ``RepoFile``, with addresses. Errors as ``fetch``."""
    _check_name(repo_id)
    from huggingface_hub import HfApi, hf_hub_url
    from huggingface_hub.hf_api import RepoFile

    token = token_from_environment()
    api = HfApi(token=token, library_name="onsei", library_version=__version__)
    try:
        found = api.list_repo_tree(repo_id, recursive=True, revision=revision, repo_type="dataset")
        files = [file for file in found if isinstance(file, RepoFile)]
    except Exception as error:  # as in ``fetch``
        raise _explained(repo_id, revision, error, "dataset") from error
    place = {"repo_type": "dataset", "revision": revision, "endpoint": api.endpoint}
    return [(file, hf_hub_url(repo_id, file.path, **place)) for file in files]


def token_from_environment() -> str | None:
    """The first of ``TOKEN_VARIABLES`` that is set; None leaves it to the stored login."""
    return next((value for name in TOKEN_VARIABLES if (value := os.environ.get(name, "").strip())), None)


def _check_name(repo_id: str) -> None:
    parts = repo_id.split("/")
    if len(parts) != 2 or not all(_PARTS.fullmatch(part) and ".." not in part and "--" not in part for part in parts):
        raise ModelError(
            f"{repo_id[:120]!r}: not a Hub repository", "expected user/name of letters, digits, '-', '_', '.'"
        )


def _explained(repo_id: str, revision: str | None, error: Exception, kind: str = "model") -> ModelError:
    chain = list(_causes(error))
    kinds = {kind.__name__ for cause in chain for kind in type(cause).__mro__}
    status = next((code for cause in chain if (code := _status(cause)) is not None), None)
    where = f"{kind} {repo_id!r}" + (f" (revision {revision!r})" if revision else "")
    local = "or pass the path of a local folder with its files instead of the name"
    token = f"set {TOKEN_VARIABLES[0]} (or {TOKEN_VARIABLES[1]}, {TOKEN_VARIABLES[2]}) to a token that may read it"
    if "RevisionNotFoundError" in kinds:
        return ModelError(
            f"{where}: the Hub has the {kind}, but no such revision", f"check the branch, tag or commit, {local}"
        )
    if "OfflineModeIsEnabled" in kinds:
        message = f"{where}: not in the local Hub cache, and HF_HUB_OFFLINE forbids fetching it"
        return ModelError(message, f"unset HF_HUB_OFFLINE while the network is there, {local}")
    if status == 403 or "GatedRepoError" in kinds:
        message = f"{where}: the Hub refuses access ({status}): it is gated, or the token lacks the right to read it"
        return ModelError(message, f"ask for access on the {kind}'s page and {token}, {local}")
    if status == 401:
        message = f"{where}: the Hub refuses access (401): it is private or does not exist, or the token is not valid"
        return ModelError(message, f"check the name and {token}, {local}")
    if status == 404:
        message = f"{where}: no folder of that name is here, and the Hub has none that you may see (404)"
        return ModelError(message, f"check the name; where it is private, {token}; {local}")
    if status is not None:
        return ModelError(f"{where}: the Hub answered with status {status}", f"try again later, {local}")
    cause = f"{type(chain[-1]).__name__}: {str(chain[-1]).strip()[:200]}"
    message = f"{where}: no folder of that name is here, and it could not be fetched from the Hub ({cause})"
    return ModelError(message, f"check the network (HF_ENDPOINT, proxies); where it is private, {token}; {local}")


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
