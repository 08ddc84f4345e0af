"""The verb `evaluate`: how well a singer sings what it reads, everything beside a control."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from onsei.audio import io
from onsei.data.loader import Draw
from onsei.data.manifest import Manifest
from onsei.data.progress import tracked
from onsei.data.row import Row
from onsei.errors import AudioError, ConfigError, DataError
from onsei.metrics.pitch import PitchErrors
from onsei.paths import write_text
from onsei.systems.song import beginning
from onsei.systems.song.config.evaluate import Evaluate
from onsei.systems.song.data.batches import Item, collated
from onsei.systems.song.data.latents import Latents
from onsei.systems.song.data.source import Preparation
from onsei.systems.song.evaluation import likeness, measure, morae
from onsei.systems.song.evaluation.measure import Taught
from onsei.systems.song.evaluation.morae import Begun
from onsei.systems.song.inference import Singer
from onsei.systems.song.plots import side_by_side
from onsei.systems.song.sketch.embedding import open_embedding
from onsei.systems.song.sketch.frames import Embedding

__all__ = ["evaluate"]

TITLES = {
    "cross_entropy_true": "cross entropy, nats a token",
    "cross_entropy_shuffled": "  with the lyrics of another song",
    "token_accuracy_true": "sketch tokens right, %",
    "token_accuracy_shuffled": "  with the lyrics of another song",
    "onset_phones_true": "phones right where syllables begin, %",
    "onset_phones_shuffled": "  with the lyrics of another song",
    "onset_phones_most": "  as far as true tokens tell phones apart",
    "morae_true": "morae right where they begin, %",
    "morae_shuffled": "  with the lyrics of another song",
    "morae_most": "  as far as true tokens tell morae apart",
    "pitch_correlation": "pitch from the sketch, correlation",
    "pitch_correlation_other": "  from the sketch of another song",
    "phone_error": "phones wrong in songs, %",
    "phone_error_other": "  against the lyrics of another song",
    "phone_error_listener": "  the listener's own errors",
    "frechet": "Fréchet distance to songs through the codec",
    "frechet_noise": "  of noise as loud",
    "frechet_codec": "  of the songs as recorded",
    "prompt_match": "likeness of song and prompt, -1 to 1",
    "prompt_match_other": "  of song and another song's prompt",
}


@dataclass(frozen=True)
class Heard:
    """Rows that could be used, and why others could not."""

    rows: list[Row]
    items: list[Item]
    faults: list[str]


def evaluate(options: Evaluate) -> dict[str, float]:
    """Print all numbers; write JSON and a picture where asked.

    Raises:
        OnseiError: no such model or manifest, tokens of another codebook, no song that can be read.
    """
    if options.picture is not None and options.picture.suffix not in (".png", ".svg"):
        raise ConfigError(f"picture: {options.picture}", "name a file that ends in .png or .svg", ["picture"])
    manifest = Manifest.open(options.test_manifest)
    codebook = beginning.told(beginning.opened_base(options.model)).sketch.codebook
    embedding = open_embedding(options.embedding, options.device) if options.sing else None
    singer = Singer.load(options.model, options.device)
    latents = Latents(singer.autoencoder, options.latent_cache)
    sizes = singer.network.sizes
    prepared = Preparation(manifest.folder, sizes, singer.phones, latents, codebook, options.max_duration)
    heard = _heard(manifest, prepared, options)
    numbers = {"songs": float(len(heard.rows)), "faults": float(len(heard.faults))}
    numbers |= _taught(singer, heard, options) | _morae(singer, heard, options) | _pitch(singer, heard, options)
    if embedding is not None:
        numbers |= _sung(singer, prepared, heard, embedding, options)
    print(f"{options.model} on {options.test_manifest}: {len(heard.rows)} songs")
    for name, title in TITLES.items():
        if name in numbers:
            print(f"  {title:<44}{numbers[name]:9.3f}")
    for fault in heard.faults[:20]:
        print(f"not read: {fault}")
    if options.json is not None:
        finite = {name: value if math.isfinite(value) else None for name, value in numbers.items()}
        write_text(options.json, json.dumps(finite, indent=1) + "\n")
    return numbers


def _heard(manifest: Manifest, prepared: Preparation, options: Evaluate) -> Heard:
    found = Heard([], [], [])
    most = min(options.limit or len(manifest), len(manifest))
    for number in tracked("reading", range(most)):
        try:
            row = manifest[number]
            item = prepared(row, Draw(options.seed, 0, row.id))
        except (DataError, AudioError) as error:
            found.faults.append(f"{manifest.place(number)}: {error.message}")
            continue
        found.rows.append(row)
        found.items.append(item)
    if not found.rows:
        first = found.faults[0] if found.faults else "it is empty"
        raise DataError(f"{manifest.path}: no song could be used; {first}", "mend the rows")
    return found


def _taught(singer: Singer, heard: Heard, options: Evaluate) -> dict[str, float]:
    right, wrong = Taught(), Taught()
    for rows, items in _groups(heard, options.batch_size):
        measure.taught(singer, collated(items, singer.network.sizes), rows, right, wrong)
    return right.numbers("true") | (wrong.numbers("shuffled") if wrong.tokens else {})


def _morae(singer: Singer, heard: Heard, options: Evaluate) -> dict[str, float]:
    right, wrong = Begun(), Begun()
    few = Heard(heard.rows[: options.morae], heard.items[: options.morae], [])
    for rows, items in _groups(few, options.batch_size):
        morae.begun(singer, collated(items, singer.network.sizes), rows, right, wrong)
    found = {}
    if right.morae:
        found["morae_true"], found["morae_most"] = right.accuracies()
    if wrong.morae:
        found["morae_shuffled"] = wrong.accuracies()[0]
    return found


def _pitch(singer: Singer, heard: Heard, options: Evaluate) -> dict[str, float]:
    right, wrong = PitchErrors(), PitchErrors()
    few = Heard(heard.rows[: options.pitch], heard.items[: options.pitch], [])
    for rows, items in _groups(few, options.batch_size):
        batch = collated(items, singer.network.sizes)
        one, other = measure.pitches(singer, batch, options)
        right, wrong = right + one, wrong + (other if len(rows) > 1 else PitchErrors())
        if options.picture is not None and rows[0] is heard.rows[0]:
            _draw(options.picture, singer, items[0], options)
    found = {"pitch_correlation": right.correlation} if right.voiced else {}
    return found | ({"pitch_correlation_other": wrong.correlation} if wrong.voiced else {})


def _sung(
    singer: Singer, prepared: Preparation, heard: Heard, embedding: Embedding, options: Evaluate
) -> dict[str, float]:
    pairs = zip(heard.rows, heard.items, strict=True)
    told = [(row, item) for row, item in pairs if isinstance(row.extra.get("symbols"), str)][: options.sing]
    if not told:
        return {}
    rows, items = [row for row, _ in told], [item for _, item in told]
    rate = singer.sample_rate
    prompts = [prepared.prompt_of(row) for row in rows]
    asked = [measure.request(row, prompt, options) for row, prompt in zip(rows, prompts, strict=True)]
    sounds = measure.sung(singer, asked)
    numbers = dict(measure.heard(sounds, rate, rows))
    coded = [measure.sounding(singer, item.latents[None].to(singer.device)) for item in items]
    true = [_read(row, rate) for row in rows]
    numbers |= likeness.distances(sounds, true, coded, rate, embedding, options.seed)
    if known := [prompt for prompt in prompts if prompt is not None]:
        answered = [sound for sound, prompt in zip(sounds, prompts, strict=True) if prompt is not None]
        numbers |= likeness.voices(answered, [_read(prompt, rate) for prompt in known], rate, embedding)
    return numbers


def _read(row: Row, rate: int) -> NDArray[np.float32]:
    assert row.audio is not None  # it was read before
    offset, duration = row.segment
    return io.load(row.audio, rate, offset=offset, duration=duration, channel=row.channel, max_seconds=None)[0]


def _draw(path: Path, singer: Singer, item: Item, options: Evaluate) -> None:
    batch = collated([item], singer.network.sizes)
    sounds = {
        "the song, through the codec": measure.sounding(singer, batch.latents.to(singer.device)),
        "made from its sketch": measure.resung(singer, batch, options)[0],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    side_by_side(sounds, singer.sample_rate).savefig(path)


def _groups(heard: Heard, size: int) -> Sequence[tuple[list[Row], list[Item]]]:
    places = range(0, len(heard.rows), size)
    return [(heard.rows[place : place + size], heard.items[place : place + size]) for place in places]
