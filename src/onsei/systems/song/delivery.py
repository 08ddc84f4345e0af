"""Songs as files: the sound, what is known of it, when its words are sung, and what it is made of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from onsei.audio import io
from onsei.config import to_dict
from onsei.paths import write_text
from onsei.systems.song import kept, timing
from onsei.systems.song.inference import Singer, Take
from onsei.systems.song.timing import Line


def files(folder: Path, name: str, kind: str) -> list[Path]:
    """All files of a song: its sound first."""
    return [folder / f"{name}{end}" for end in (f".{kind}", ".json", ".lrc", kept.SUFFIX)]


def deliver(
    singer: Singer, take: Take, path: Path, model: str, *, written: bool = False, more: dict[str, Any] | None = None
) -> None:
    """Write a song that has a block or more.

    Args:
        singer: who sang.
        take: the song.
        path: of the sound; the other files lie beside it.
        model: name of the singer's model.
        written: whether the sound is there already.
        more: further facts.
    """
    if not written:
        io.save(path, singer.sound(take), singer.sample_rate)
    found = timing.lines_of(singer, take)
    write_text(path.with_suffix(".lrc"), timing.lrc(found))
    take.kept.save(path.with_suffix(kept.SUFFIX))
    facts = {**_facts(singer, take, found), "file": path.name, "model": model, **(more or {})}
    write_text(path.with_suffix(".json"), json.dumps(facts, ensure_ascii=False, indent=1) + "\n")


def _facts(singer: Singer, take: Take, found: list[Line]) -> dict[str, Any]:
    return {
        "request": to_dict(take.request),
        "duration": len(take.sketch) / singer.frame_rate,
        "ended": take.ended,
        "lines": [{"text": line.text, "start": round(line.start, 3)} for line in found],
        "sketch": take.sketch,
        "remarks": list(take.remarks),
    }
