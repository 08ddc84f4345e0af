"""How often the listener mishears a voice that it never heard, and what the codec without weights keeps of a melody.

python benchmarks/song_singer.py --json benchmarks/results/song_singer.json
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np

import record
from onsei.audio import io
from onsei.metrics.pitch import PitchErrors, pitch, pitch_errors
from onsei.metrics.wer import ErrorCounts
from onsei.systems.song import sourcefilter
from onsei.systems.song.data.singer import LENGTHS, VOICES, compose, sing
from onsei.systems.song.listener import Listener, compare, own_error
from onsei.systems.song.sourcefilter import RATE

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "songs_ja"
SEEDS = (0, 1, 2)
BARS = {"phone_error_worst": 10.0, "pitch_correlation_real": 0.98}


def swapped(listener: Listener, songs: int = 20) -> float:
    """Phone error against the lyrics of another song: the control."""
    sung = [sing(compose(np.random.default_rng([9, n]), lengths=LENGTHS), VOICES[0], n) for n in range(songs)]
    heard = [listener.hear(song.sound()) for song in sung]
    total = ErrorCounts()
    for song, phones in zip(sung, [*heard[1:], heard[0]], strict=True):
        total += compare([one.phone for one in song.phones], phones)
    return total.rate


def real(folder: Path, seconds: float = 30.0) -> PitchErrors:
    """Pitch of recorded singing before and after the codec."""
    total = PitchErrors()
    for path in sorted(folder.glob("*/*.flac")):
        sound, _ = io.load(path, RATE, duration=min(seconds, io.info(path).duration))
        total += pitch_errors(pitch(sound, RATE), pitch(sourcefilter.decode(sourcefilter.encode(sound)), RATE))
    return total


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=SHARED)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    listeners = {seed: Listener.train(seed=seed) for seed in SEEDS}
    errors = {seed: own_error(listener).rate for seed, listener in listeners.items()}
    kept = real(chosen.data)
    results: dict[str, Any] = {
        "phone_error": errors,
        "phone_error_worst": max(errors.values()),
        "phone_error_of_other_lyrics": swapped(listeners[SEEDS[0]]),
        "heard_voice": VOICES[0].name,
        "trained_on": [voice.name for voice in VOICES[1:]],
        "pitch_correlation_real": kept.correlation,
        "voicing_error_real": kept.voicing_error,
    }
    held = {
        "phone_error_worst": results["phone_error_worst"] <= BARS["phone_error_worst"],
        "pitch_correlation_real": results["pitch_correlation_real"] >= BARS["pitch_correlation_real"],
    }
    print(results, "bars:", ", ".join(f"{name} {'held' if ok else 'MISSED'}" for name, ok in held.items()))
    record.write(chosen.json, {**results, "bars": BARS, "held": held})
    return 0 if all(held.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
