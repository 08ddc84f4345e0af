"""The demo's chapter on song: a little singer sings at random, and a network learns to sing what it reads."""

from __future__ import annotations

import contextlib
import io as texts
import json
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from onsei.config import from_recipe
from onsei.data.manifest import Manifest
from onsei.demo.run import TITLE
from onsei.errors import DataError
from onsei.metrics.wer import ErrorCounts, align
from onsei.paths import write_text
from onsei.plots.report import Marked, Report, Sound
from onsei.systems.song.config import FitSketch, Request, Sampling, Sketch, Train
from onsei.systems.song.data.singer import FRAMES, write
from onsei.systems.song.evaluation.measure import phones
from onsei.systems.song.inference import Singer, Take
from onsei.systems.song.listener import Listener, compare, own_error
from onsei.systems.song.plots import sung
from onsei.systems.song.sketch.extract import sketch
from onsei.systems.song.sketch.fit import fit_sketch
from onsei.systems.song.sourcefilter import FRAME, RATE
from onsei.systems.song.training import train
from onsei.text.kana import MORAE

SONGS = {"train": 400, "val": 24, "test": 12}
"""How many are sung for each manifest."""
_MORAE = {"train": (3, 8), "val": (8, 8), "test": (8, 8)}
_CODES = 96
_STEPS = 560
_SPARE = 0.64
"""Seconds that a song may be longer than it should be: a block."""
_HEARD = 6
"""Songs in the table."""
_WORDS = ("サカナノウタ", "ネコノセナカ")
"""What the report lets the network sing: words of morae that it knows, and others for comparison."""
_SAMPLING = Sampling(steps=12, temp=0.6, penalty_repeat=False, cfg_coef=2.5, diff_cfg_coef=1.0)
"""Notes are held: tokens come again."""


@dataclass(frozen=True)
class Songs:
    """Manifests of songs, with their sketch tokens."""

    train: Path
    val: Path
    test: Path


@dataclass(frozen=True)
class Tried:
    """What became of lyrics that training never had."""

    lyrics: list[list[str]]
    """Phones of each song."""
    takes: list[Take]
    heard: list[tuple[str, ...]]
    errors: dict[str, float]
    """Percent of wrong phones: ``own`` lyrics, ``other`` lyrics, by the ``untrained`` network, of the ``listener``."""


def chapter(folder: Path, page: Path, seed: int) -> None:
    """Make songs, train, sing lyrics that were never sung, listen, and write the chapter."""
    print(f"making songs: a little singer and {SONGS['train']} lyrics; those of the test are never in training")
    songs = make_songs(folder / "songs", seed)
    model = folder / "song"
    if not (model / "onsei.json").exists():
        train(options(songs, model, seed))
    singer = Singer.load(model, "cpu")
    listener = Listener.train(songs=48, steps=220, seed=seed)
    fresh = untrained(singer, seed)
    tried = attempt(singer, fresh, listener, songs)
    told = tried.errors
    print(
        f"phones wrong in songs with lyrics never seen: {told['own']:.1f} % (against the lyrics of another song: "
        f"{told['other']:.1f} %, untrained network: {told['untrained']:.1f} %, the listener's own: "
        f"{told['listener']:.1f} %)"
    )
    _report(singer, fresh, listener, tried, model, songs).save_chapter(page, "song", title=TITLE, order=5)


def make_songs(folder: Path, seed: int) -> Songs:
    """Sing, and sketch what was sung; songs of an earlier demo of the same seed are kept.

    Raises:
        DataError: ``folder`` holds something else.
    """
    made, wanted = folder / "made.json", json.dumps({"seed": seed, "songs": SONGS, "codes": _CODES})
    found = Songs(*(folder / "sketched" / f"{name}.jsonl" for name in SONGS))
    if made.exists() and made.read_text(encoding="utf-8") == wanted:
        return found
    if not made.exists() and folder.exists() and any(folder.iterdir()) and not (folder / "train").is_dir():
        other = next(folder.iterdir()).name
        raise DataError(f"{folder}: holds {other}, which is not the demo's; nothing was touched", "name another folder")
    parts = tuple(
        write(folder, count, seed=10 * seed + place, morae=_MORAE[name], lengths=(FRAMES, FRAMES), name=name)
        for place, (name, count) in enumerate(SONGS.items())
    )
    book = folder / "codebook.safetensors"
    with contextlib.redirect_stdout(texts.StringIO()):
        fit_sketch(
            FitSketch(
                parts[0], book, embedding="mel", codes=_CODES, code_size=32, steps=0, seed=seed,
                cache_dir=folder / "frames", device="cpu", force=True,
            )
        )  # fmt: skip
        sketch(Sketch(book, parts, folder / "sketched", sample_rate=RATE, hop=FRAME, device="cpu", force=True))
    write_text(made, wanted)
    return found


def options(songs: Songs, model: Path, seed: int) -> Train:
    """Options of the demo's training: shorter songs than the recipe's, whose notes are all of one length."""
    recipe = from_recipe(Train, Path(str(files("onsei.systems.song"))) / "recipes" / "tiny.yaml")
    going_on = str(model) if (model / "checkpoints").exists() else ""
    clock = replace(
        recipe.training, seed=seed, max_steps=_STEPS, validate_steps=70, device="cpu", continue_from=going_on
    )
    return replace(
        recipe,
        train_manifest=songs.train,
        val_manifest=songs.val,
        output_dir=model,
        network=replace(recipe.network, num_pitch=_CODES, prompt_len=8, lyrics_len=18),
        objective=replace(recipe.objective, diffusion_blocks=16),
        data=replace(recipe.data, latent_cache=songs.train.parent / "latents"),
        training=clock,
    )


def untrained(singer: Singer, seed: int) -> Singer:
    """The same network before its first step: what chance alone gives."""
    from onsei.systems.song.model import SongModel

    torch.manual_seed(seed)
    fresh = SongModel(singer.network.sizes, singer.autoencoder.codec, len(singer.phones.symbols))
    return Singer(fresh, singer.phones, singer.device, singer.dtype)


def attempt(singer: Singer, fresh: Singer, listener: Listener, songs: Songs) -> Tried:
    """Sing the lyrics of the test, side by side, and listen."""
    rows = list(Manifest.open(songs.test))
    folder = songs.test.parent
    requests = [
        asked(
            str(row.extra["symbols"]),
            folder / str(row.extra["prompt_wav"]),
            seconds=(row.duration or 0) + 0.64,
            seed=number,
        )
        for number, row in enumerate(rows)
    ]
    longest = max(request.max_duration for request in requests)
    requests = [replace(request, max_duration=longest) for request in requests]
    takes, lyrics = singer.takes(requests), [phones(row) for row in rows]
    heard = [listen(singer, listener, take) for take in takes]
    chance = [listen(fresh, listener, take) for take in fresh.takes(requests)]
    own, other, none = ErrorCounts(), ErrorCounts(), ErrorCounts()
    for number, words in enumerate(lyrics):
        own += compare(words, heard[number])
        other += compare(lyrics[number - 1], heard[number])
        none += compare(words, chance[number])
    listened = own_error(listener, songs=12)
    errors = {"own": own.rate, "other": other.rate, "untrained": none.rate, "listener": listened.rate}
    return Tried(lyrics, takes, heard, errors)


def asked(symbols: str, prompt: Path | None, *, seconds: float, seed: int) -> Request:
    """A song of the demo."""
    return Request(symbols, phones=True, prompt_wav=prompt, max_duration=seconds, seed=seed, sampling=_SAMPLING)


def listen(singer: Singer, listener: Listener, take: Take) -> tuple[str, ...]:
    """The phones that are heard in a song."""
    return listener.hear(singer.sound(take).mean(0)) if take.latents else ()


def _report(singer: Singer, fresh: Singer, listener: Listener, tried: Tried, model: Path, songs: Songs) -> Report:
    report = Report("Song", "Lyrics become singing: a sketch of sounds first, then the sound, block by block")
    told = tried.errors
    report.metrics(
        {
            "phones wrong, lyrics never seen": f"{told['own']:.1f} %",
            "against the lyrics of another song": f"{told['other']:.1f} %",
            "by the untrained network": f"{told['untrained']:.1f} %",
            "the listener's own errors": f"{told['listener']:.1f} %",
        }
    )
    report.text(
        f"A little singer of formants and harmonics sang {SONGS['train']} songs of morae by chance on melodies by "
        "chance. A language model learned to write their sketch from the lyrics, sixteen tokens a block, and a "
        "diffusion transformer to make their sound of it. A phone recognizer that was trained on other voices listens. "
        "The notes are all of one length and the voice is a machine's: these numbers say that the parts work together."
    )
    prompt = songs.test.parent / str(Manifest.open(songs.test)[0].extra["prompt_wav"])
    for number, (words, section) in enumerate(zip(_WORDS, ("A song", "The same chance, other lyrics"), strict=True)):
        take, sound = _sing(singer, words, prompt)
        heard = " ".join(listen(singer, listener, take))
        report.section(section, f"Lyrics: `{words}` (`{_symbols(words)}`). Heard: `{heard}`.")
        if len(sound):
            report.audio(sound, singer.sample_rate)
            caption = "Mel bands, and below them the sketch, a color a token; lines part the blocks"
            picture = sung(sound, singer.sample_rate, take.sketch, singer.network.sizes.block_size)
            report.figure(picture, "" if number else caption)
    take, sound = _sing(fresh, _WORDS[0], prompt)
    report.section("Control", "The same lyrics, sung by the network before its first step.")
    if len(sound):
        report.audio(sound, singer.sample_rate)
    report.section("What it sang", "Lyrics of the test. Red phones are wrong, struck ones are missing.")
    rows = [_line(singer, tried, number) for number in range(min(_HEARD, len(tried.takes)))]
    report.table(("sound", "phones of the lyrics", "heard", "wrong, %"), rows)
    report.section("Go on")
    report.code(f"onsei song generate {model} '[verse] {_symbols(_WORDS[0])}' --phones --output-dir sung")
    report.code(f"onsei song evaluate {model} --test-manifest {songs.test} --sing 12")
    return report


def _symbols(words: str) -> str:
    return " ".join(phone for mora in words for phone in MORAE[mora])


def _sing(singer: Singer, words: str, prompt: Path) -> tuple[Take, NDArray[np.float32]]:
    seconds = len(words) * FRAMES / singer.frame_rate + 2 * _SPARE
    (take,) = singer.takes([asked(f"[verse] {_symbols(words)}", prompt, seconds=seconds, seed=1)])
    return take, singer.sound(take).mean(0) if take.latents else np.zeros(0, np.float32)


def _line(singer: Singer, tried: Tried, number: int) -> tuple[Sound | None, str, Marked, float]:
    words, heard, take = tried.lyrics[number], tried.heard[number], tried.takes[number]
    marks = {"hit": "good", "substitution": "wrong", "deletion": "missing", "insertion": "added"}
    parts = [(f"{edit.hypothesis or edit.reference} ", marks[edit.kind]) for edit in align(words, list(heard))]
    sound = Sound(singer.sound(take).mean(0), singer.sample_rate) if take.latents else None
    return sound, " ".join(words), Marked(parts), round(compare(words, heard).rate, 1)  # type: ignore[arg-type]
