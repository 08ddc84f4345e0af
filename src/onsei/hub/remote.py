"""Models from the Hugging Face Hub: the one door to huggingface_hub, with errors that say what to do."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from onsei import __version__
from onsei.errors import ModelError
from onsei.hub import refusals
from onsei.hub.refusals import TOKEN_VARIABLES

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
    check_name(repo_id)
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
        raise refusals.reading(repo_id, revision, error) from error
    return Path(folder)


def list_dataset(repo_id: str, revision: str | None = None) -> list[tuple[Any, str]]:
    """Files of the dataset ``user/name``, as huggingface_hub's ``RepoFile``, with addresses. Errors as ``fetch``."""
    check_name(repo_id)
    from huggingface_hub import HfApi, hf_hub_url
    from huggingface_hub.hf_api import RepoFile

    token = token_from_environment()
    api = HfApi(token=token, library_name="onsei", library_version=__version__)
    try:
        found = api.list_repo_tree(repo_id, recursive=True, revision=revision, repo_type="dataset")
        files = [file for file in found if isinstance(file, RepoFile)]
    except Exception as error:  # as in ``fetch``
        raise refusals.reading(repo_id, revision, error, "dataset") from error
    place = {"repo_type": "dataset", "revision": revision, "endpoint": api.endpoint}
    return [(file, hf_hub_url(repo_id, file.path, **place)) for file in files]


def publish(
    repo_id: str,
    files: Mapping[str, Path | bytes],
    *,
    message: str,
    public: bool = False,
    existing: bool = False,
    token: str | None = None,
    endpoint: str | None = None,
) -> str:
    """Write ``files`` into a repository, all in one commit; returns the address of the repository.

    Args:
        repo_id: ``user/name``.
        files: what to write, by the name in the repository: a file here, or its bytes.
        message: of the commit.
        public: whether everyone may see a repository that is made; one that is there keeps its state.
        existing: whether the repository may be there already.
        token: as for ``fetch``.
        endpoint: as for ``fetch``.

    Raises:
        ModelError: the name is none, there is no token, the Hub refuses it, the repository is there already, or the
            Hub cannot be reached.
    """
    check_name(repo_id)
    from huggingface_hub import CommitOperationAdd, HfApi, get_token

    token = token or token_from_environment() or get_token()
    if not token:
        raise refusals.no_token(repo_id)
    api = HfApi(endpoint=endpoint, token=token, library_name="onsei", library_version=__version__)
    try:
        made = api.create_repo(repo_id, private=not public, exist_ok=existing)
    except Exception as error:
        raise refusals.writing(repo_id, "be made", error) from error
    changes = [
        CommitOperationAdd(n, content if isinstance(content, bytes) else str(content)) for n, content in files.items()
    ]
    try:
        api.create_commit(repo_id, changes, commit_message=message)
    except Exception as error:
        refused = refusals.writing(repo_id, "be written to", error)
        if not existing:
            refused.mend += "; the repository is there by now, so give --force too"
        raise refused from error
    return str(made)


def token_from_environment() -> str | None:
    """The first of ``TOKEN_VARIABLES`` that is set; None leaves it to the stored login."""
    return next((value for name in TOKEN_VARIABLES if (value := os.environ.get(name, "").strip())), None)


def check_name(repo_id: str) -> None:
    """Raise a ModelError where ``repo_id`` is no ``user/name``."""
    parts = repo_id.split("/")
    if len(parts) != 2 or not all(_PARTS.fullmatch(part) and ".." not in part and "--" not in part for part in parts):
        raise ModelError(
            f"{repo_id[:120]!r}: not a Hub repository", "expected user/name of letters, digits, '-', '_', '.'"
        )
