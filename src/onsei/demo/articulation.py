"""The demo's chapter on articulation: a film of a vocal tract goes in, a voice comes out, and the picture tells why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from onsei.audio import io
from onsei.config import Span, from_recipe
from onsei.data.manifest import Manifest
from onsei.demo.control import untrained
from onsei.demo.films import Films, make_films
from onsei.demo.run import TITLE
from onsei.demo.tract.takes import FRAMES
from onsei.plots.heat import overlaid, overlaid_twice, sheet
from onsei.plots.report import Report
from onsei.plots.report import Sound as Player
from onsei.systems.articulation.config import Train
from onsei.systems.articulation.data.prepared import load_mel, video_of
from onsei.systems.articulation.evaluation.sound import SoundScores
from onsei.systems.articulation.explain import Explained, explained, levels, pointed, truth
from onsei.systems.articulation.explain.maps import Question, mel_bins
from onsei.systems.articulation.explain.pointing import read_contours
from onsei.systems.articulation.inference import Articulator
from onsei.systems.articulation.plots import mels
from onsei.systems.articulation.training import train
from onsei.systems.articulation.voices import GRIFFIN_LIM, PULSE, open_voices
from onsei.vision import film, video

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Sound = NDArray[np.float32]

BANDS = (Span("F1", 250, 900), Span("F2", 900, 2500))
_EPOCHS = 45
_TOLERANCE = 12.0


@dataclass(frozen=True)
class Spoken:
    """A film of the test, and what was read off it."""

    path: Path
    true: NDArray[np.float32]
    """Its log-mel, (M, F)."""
    found: NDArray[np.float32]
    control: NDArray[np.float32]
    """By the network before its first step."""


def chapter(folder: Path, page: Path, seed: int) -> None:
    """Make films, train, speak films of the test, explain them, and write the chapter."""
    print("making films: three simulated speakers; the test's utterances are never in training")
    films = make_films(folder / "films", seed)
    model = folder / "articulation"
    if not (model / "onsei.json").exists():
        train(options(films, model, seed))
    runner = Articulator.load(model, "cpu")
    fresh = untrained(runner.model, seed)
    control = Articulator(fresh, runner.prepared, runner.scaler, runner.device, runner.dtype)
    spoken = speak(runner, control, films)
    errors = [float(np.mean([np.abs(getattr(one, name) - one.true).mean() for one in spoken])) for name in _KINDS]
    print(f"log-mel error on films never seen: {errors[0]:.1f} dB (untrained network: {errors[1]:.1f} dB)")
    _report(runner, model, films, spoken, errors, page.parent).save_chapter(page, "articulation", title=TITLE, order=4)


_KINDS = ("found", "control")


def options(films: Films, model: Path, seed: int) -> Train:
    """Options of the demo's training."""
    recipe = from_recipe(Train, Path(str(files("onsei.systems.articulation"))) / "recipes" / "tiny.yaml")
    going_on = str(model) if (model / "checkpoints").exists() else ""
    clock = replace(recipe.training, seed=seed, epochs=_EPOCHS, device="cpu", continue_from=going_on)
    small = replace(recipe.model, channels=(12, 24, 32, 48), hidden=96, features=96)
    return replace(
        recipe, train_manifest=films.train, val_manifest=films.val, output_dir=model, training=clock, model=small
    )


def speak(runner: Articulator, control: Articulator, films: Films) -> list[Spoken]:
    """Mels read off every film of the test."""
    found = []
    for path, row in zip(films.shown, Manifest.open(films.test), strict=True):
        seen = runner.frames(video_of(row))
        true = load_mel(row.features or "", runner.mel.n_mels)
        found.append(Spoken(path, true, runner.predict(seen), control.predict(seen)))
    return found


def _report(
    runner: Articulator, model: Path, films: Films, spoken: list[Spoken], errors: list[float], folder: Path
) -> Report:
    voices = {voice.name: voice for voice in open_voices((PULSE, GRIFFIN_LIM), runner.mel, iterations=40)}
    hop = runner.mel.hop
    made_by = {name: [one.speak(mel.found, mel.found.shape[1] * hop) for mel in spoken] for name, one in voices.items()}
    scores = {name: _scores(films, made) for name, made in made_by.items()}
    heard, formant = made_by[PULSE], scores[PULSE].formants
    report = Report("Articulation", "A film of a vocal tract goes in, a voice comes out, and the picture tells why")
    report.metrics(
        {
            "log-mel error on films never seen": f"{errors[0]:.1f} dB",
            "of the untrained network": f"{errors[1]:.1f} dB",
            "F1, F2 off by (median)": f"{formant.medians[0]:.0f}, {formant.medians[1]:.0f} Hz",
        }
    )
    report.text(
        f"{len(Manifest.open(films.train))} films of a simulated vocal tract, four seconds each, by three speakers, "
        "were learned from; the test is other utterances of theirs. A simulation is far simpler than a scanner's film "
        "of a person: these numbers say that the machinery works, not how it does on people."
    )
    first = spoken[0]
    seen, bands = runner.frames(first.path), _explained(runner, runner.frames(first.path))
    made = folder / "articulation.mp4"
    rate = runner.mel.sample_rate
    film.write(made, _beside(first.path, bands), FRAMES, film.Sound(heard[0], rate), quality=24)
    report.section("One film", "The film alone, and under heat: what raises the voice in the band of F1, and of F2.")
    report.video(made.read_bytes(), "With the voice that was read off it; the recording of the voice was never used")
    report.audio(heard[0], rate, "Read off the film")
    report.audio(io.load(first.path)[0], rate, "The simulated voice itself")
    control = voices[PULSE].speak(first.control, first.control.shape[1] * hop)
    report.audio(control, rate, "Control: read by the network before its first step")
    columns = ("voice", "", "MCD, dB", "voicing wrong, %", "STOI")
    report.table(columns, _voices(made_by, scores, rate))
    report.text(
        "Of the pitch a film shows little, so that what is read off it has hardly any harmonics. The vocoder's `pulse` "
        "lays pulses under its envelope; Griffin-Lim makes a whisper of it. The numbers are of all films of the test."
    )
    report.figure(mels({"read off the film": first.found, "true": first.true, "control": first.control}, runner.mel))
    report.section(
        "Is the heat true?",
        "The hottest places of every frame are blurred, a share after the other: if the network looks there, the "
        "band's level falls. Random places and the picture's edges are the controls. Insertion goes the other way, "
        "into a blurred film: the level should rise, and come near to that of the whole film (gap). In the pointing "
        "game the hottest place must lie within "
        f"{_TOLERANCE:.0f} pixels of the contour of tongue, jaw or lip, which the simulation knows.",
    )
    places = ("band", "places", "deletion: fall in dB", "change in dB", "insertion: rise in dB", "gap in dB")
    report.table(places, _truths(runner, seen, bands))
    pointing = ("band", "hottest place on the contour, %", "a random place would be, %")
    report.table(pointing, _pointing(runner, first.path, seen, bands))
    report.figure(_frames(first.path, bands), "Five frames: F1 in orange, F2 in blue")
    report.section("Go on")
    report.code(f"onsei articulation explain {model} --video {first.path} --output-dir maps --formant-band F1:250-900")
    report.code(f"onsei articulation evaluate {model} --test-manifest {films.test}")
    return report


def _explained(runner: Articulator, seen: NDArray[np.float32]) -> list[Explained]:
    return [explained(runner, seen, Question(mel_bins(band, runner.mel)), band, 256) for band in BANDS]


def _truths(runner: Articulator, seen: NDArray[np.float32], bands: list[Explained]) -> list[tuple[str | float, ...]]:
    rows: list[tuple[str | float, ...]] = []
    for found in bands:
        numbers = truth(runner, seen, found, Question(mel_bins(found.band, runner.mel)), 0)
        for key, name in (("map", "heat map"), ("edges", "edges"), ("random", "random")):
            kinds = ("deletion_drop", "deletion_change", "insertion_rise", "insertion_gap")
            rows.append(
                (found.band.name, name, *(round(numbers[f"{found.band.name}_{kind}_{key}"], 2) for kind in kinds))
            )
    return rows


def _pointing(
    runner: Articulator, path: Path, seen: NDArray[np.float32], bands: list[Explained]
) -> list[tuple[str | float, ...]]:
    contours = read_contours(path.with_suffix(".npz"), len(seen))
    rows: list[tuple[str | float, ...]] = []
    for found in bands:
        level = levels(runner, seen, Question(mel_bins(found.band, runner.mel)))
        numbers = pointed(found, contours, _TOLERANCE, level)
        rows.append((found.band.name, *(round(value, 1) for value in numbers.values())))
    return rows


def _scores(films: Films, heard: list[Sound]) -> SoundScores:
    """The voices that were read off the films, against the films' own."""
    found = None
    for path, made in zip(films.shown, heard, strict=True):
        true, rate = io.load(path)
        found = SoundScores(rate) if found is None else found
        found.add(true, made)
    assert found is not None
    return found


def _voices(
    made_by: Mapping[str, list[Sound]], scores: Mapping[str, SoundScores], rate: int
) -> list[tuple[str | Player | float | None, ...]]:
    """What each voice makes of the first film, and its numbers over all."""
    rows: list[tuple[str | Player | float | None, ...]] = []
    for name, made in made_by.items():
        numbers = scores[name].numbers()
        found = [numbers[key] for key in ("mcd", "voicing_error", "stoi")]
        rows.append((name, Player(made[0], rate), *(round(x, 2) if np.isfinite(x) else None for x in found)))
    return rows


def _beside(path: Path, bands: list[Explained]) -> Iterator[film.Pixels]:
    for number, picture in enumerate(video.read(path).frames):
        hot = [overlaid(picture, found.shown[number], 0.6) for found in bands]
        yield np.concatenate([np.repeat(picture[..., None], 3, axis=2), *hot], axis=1)


def _frames(path: Path, bands: list[Explained]) -> Figure:
    pictures = video.read(path).frames
    chosen = np.linspace(0, len(pictures) - 1, 7)[1:-1].round().astype(int)
    first, second = bands
    shown = [
        (f"{float(n / FRAMES):.2f} s", overlaid_twice(pictures[n], first.shown[n], second.shown[n], 0.7))
        for n in chosen
    ]
    return sheet(shown)
