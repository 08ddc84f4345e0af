"""Which corpus a folder's manifests are of, and under which license: written by `prepare`, read for the model card."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from onsei.paths import write_text

FILE = "corpus.json"
"""Beside the manifests: for each by its name, the fields of ``Provenance``."""


@dataclass(frozen=True)
class Provenance:
    """What is known of a manifest's sounds; empty where nothing is."""

    title: str = ""
    """Name of the corpus."""
    license: str = ""
    """As the Hub calls it: ``cc-by-4.0``."""
    dataset: str = ""
    """Id on the Hub."""


KNOWN = {
    "LibriSpeech": Provenance("LibriSpeech", "cc-by-4.0", "openslr/librispeech_asr"),
    "TED-LIUM": Provenance("TED-LIUM", "cc-by-nc-nd-3.0", "LIUM/tedlium"),
    "VoxForge": Provenance("VoxForge", "gpl-3.0"),
    "Common Voice": Provenance("Common Voice", "cc0-1.0"),
    "Speech Commands": Provenance("Speech Commands", "cc-by-4.0", "google/speech_commands"),
    "ESC-50": Provenance("ESC-50", "cc-by-nc-3.0"),
    "ESC-10": Provenance("ESC-10", "cc-by-3.0"),
    "AN4": Provenance("AN4"),
    "GTZAN": Provenance("GTZAN", "", "marsyas/gtzan"),
}
"""Corpora by title, as their publishers state it; AN4 and GTZAN come without a license."""


def note(manifests: Iterable[Path], known: Provenance | None) -> None:
    """Write down what is known of ``manifests``, which lie in one folder; forget what was, where nothing is."""
    paths = list(manifests)
    for folder in {path.parent for path in paths}:
        noted = _read(folder)
        for path in paths:
            noted.pop(path.name, None)
            if known is not None and known.title:
                noted[path.name] = {key: value for key, value in asdict(known).items() if value}
        if noted:
            write_text(folder / FILE, json.dumps(noted, ensure_ascii=False, indent=1) + "\n")
        else:
            (folder / FILE).unlink(missing_ok=True)


def of(manifest: Path) -> Provenance:
    """What is known of ``manifest``; nothing where the file beside it is missing or not readable."""
    found = _read(manifest.parent).get(manifest.name)
    values = found if isinstance(found, Mapping) else {}
    return Provenance(*(str(values.get(key, "")) for key in ("title", "license", "dataset")))


def shared(manifests: Sequence[Path]) -> Provenance | None:
    """What is known of all ``manifests`` alike; None where they differ."""
    found = {of(path) for path in manifests}
    return found.pop() if len(found) == 1 else None


def _read(folder: Path) -> dict[str, Any]:
    try:
        values = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}
