"""Lyrics of 31 Japanese scores against the phones of their label files, note by note.

python benchmarks/song_lyrics.py --json benchmarks/results/song_lyrics.json
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from rapidfuzz.distance import Levenshtein

import record
from onsei.data import lab, musicxml
from onsei.systems.song.data.scores import lyrics_of
from onsei.text.lyrics import phonemes
from onsei.text.phones import JAPANESE

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "songs_ja"
BARS = {"notes_percent": 99.0, "scores": 31}


def measure(path: Path) -> dict[str, Any]:
    """How many notes of one score have the phones of its label file; and how far the line of text, read as any text
    is, lies from them."""
    timed, told = lyrics_of(musicxml.read(path))
    syllables = timed.syllables()
    ours = [(phone, note) for note, syllable in enumerate(syllables) for phone in syllable.phones]
    theirs = [phone.symbol for phone in lab.read(path.with_suffix(".lab")) if not lab.is_silence(phone.symbol)]
    wrong = set()
    for edit in Levenshtein.editops([phone for phone, _ in ours], theirs):
        place = max(0, edit.src_pos - 1) if edit.tag == "insert" else edit.src_pos
        wrong.add(ours[min(place, len(ours) - 1)][1])
    line = [symbol for symbol in phonemes(timed.lyrics()).symbols if symbol in JAPANESE]
    return {
        "notes": len(syllables),
        "wrong": len(wrong),
        "phones": len(theirs),
        "line_edits": Levenshtein.distance(line, theirs),
        "sentences": sum(len(part.sentences) for part in timed.parts),
        "sections": sum(bool(part.sentences) for part in timed.parts),
        "unread": sum(told.unknown.values()),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=SHARED)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    paths = [*sorted((chosen.data / "nursery").glob("*.musicxml")), chosen.data / "itako50" / "itako50.musicxml"]
    began = time.perf_counter()
    scores = {path.stem: measure(path) for path in paths if path.exists()}
    if not scores:
        print(f"not measured: no scores in {chosen.data}")
        return 1
    total = {key: sum(found[key] for found in scores.values()) for key in next(iter(scores.values()))}
    results = {
        "scores": len(scores),
        "notes_percent": 100 * (1 - total["wrong"] / total["notes"]),
        "worst_score_percent": min(100 * (1 - found["wrong"] / found["notes"]) for found in scores.values()),
        "line_phone_error_percent": 100 * total["line_edits"] / total["phones"],
        "seconds": round(time.perf_counter() - began, 1),
        **total,
    }
    held = {name: results[name] >= bar for name, bar in BARS.items()}
    print(results, "bars:", ", ".join(f"{name} {'held' if ok else 'MISSED'}" for name, ok in held.items()))
    record.write(chosen.json, {**results, "by_score": scores, "bars": BARS, "held": held})
    return 0 if all(held.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
