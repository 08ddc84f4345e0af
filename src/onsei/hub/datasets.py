"""Datasets of the Hugging Face Hub as lists of files: what is fetched of them is data, never code."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePosixPath

from onsei.errors import DataError
from onsei.hub import remote


@dataclass(frozen=True)
class HubFile:
    """A file of a dataset, not yet downloaded."""

    path: str
    """Within the repository."""
    url: str
    size: int
    """Bytes."""
    sha256: str
    """Checksum; empty for small files, of which the Hub tells none."""
    token: str = field(default="", repr=False)
    """To show the Hub when asking for it."""


def dataset_files(repo_id: str, *, revision: str | None = None) -> list[HubFile]:
    """All files of the dataset ``user/name``.

    Raises:
        ModelError: the name is none, or the dataset is missing, private or gated, or the Hub cannot be reached.
        DataError: a file whose path leads outside.
    """
    token = remote.token_from_environment() or ""
    files = [
        HubFile(found.path, url, found.size, found.lfs.sha256 if found.lfs else "", token)
        for found, url in remote.list_dataset(repo_id, revision)
    ]
    for file in files:
        path = PurePosixPath(file.path.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
            raise DataError(f"dataset {repo_id!r}: a file called {file.path[:120]!r}", "do not trust this dataset")
    return files
