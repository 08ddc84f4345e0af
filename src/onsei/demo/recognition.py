"""The demo's chapter on recognition: from made speech to a measured recognizer, with pictures and sound."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch

from onsei.audio import io
from onsei.config import from_recipe
from onsei.data.manifest import Manifest
from onsei.demo.run import TITLE
from onsei.demo.speech import Corpus, make_corpus
from onsei.demo.voices import HELD_OUT, TRAINING
from onsei.metrics.wer import align
from onsei.plots.curves import curves
from onsei.plots.report import Marked, Report, Sound
from onsei.systems.recognition.config import Request, Train
from onsei.systems.recognition.evaluation import Evaluation, Utterance, measure
from onsei.systems.recognition.inference import Transcriber
from onsei.systems.recognition.model import DeepSpeech2
from onsei.systems.recognition.plots import aligned
from onsei.systems.recognition.training import train

_HEARD = 12
"""Utterances shown in the report."""


def chapter(folder: Path, page: Path, seed: int) -> None:
    """Make the speech, train, measure against an untrained network, and write the chapter into ``page``.

    Raises:
        MissingExtraError: espeak-ng is not installed.
    """
    print(f"making speech: {len(TRAINING)} voices to learn from, one more to be tested on")
    corpus = make_corpus(folder / "speech", seed)
    model = folder / "recognition"
    if not (model / "onsei.json").exists():
        train(_options(corpus, model, seed))
    runner = Transcriber.load(model)
    test = Manifest.open(corpus.test)
    trained, control = measure(runner, test), measure(_untrained(runner, seed), test)
    rates = (trained.numbers()["wer"], control.numbers()["wer"])
    print(f"WER on a voice and sentences never heard: {rates[0]:.1f} % (untrained network: {rates[1]:.1f} %)")
    _report(runner, test, corpus, trained, control).save_chapter(page, "recognition", title=TITLE, order=1)


def _options(corpus: Corpus, model: Path, seed: int) -> Train:
    recipe = from_recipe(Train, Path(str(files("onsei.systems.recognition"))) / "recipes" / "tiny.yaml")
    clock = replace(recipe.training, seed=seed, continue_from=str(model) if (model / "checkpoints").exists() else "")
    return replace(recipe, train_manifest=corpus.train, val_manifest=corpus.val, output_dir=model, training=clock)


def _untrained(runner: Transcriber, seed: int) -> Transcriber:
    """The same network before its first step: what chance alone gives."""
    torch.manual_seed(seed)
    fresh = DeepSpeech2(runner.options, runner.features.bins, len(runner.alphabet.labels))
    return Transcriber(fresh, runner.options, runner.features, runner.alphabet, runner.device, runner.dtype)


def _report(runner: Transcriber, test: Manifest, corpus: Corpus, trained: Evaluation, control: Evaluation) -> Report:
    numbers, chance = trained.numbers(), control.numbers()
    training = len(Manifest.open(corpus.train))
    report = Report("Recognition", "A speech recognizer trained from nothing, minutes ago, on this machine")
    report.metrics(
        {
            "WER on a voice and sentences never heard": f"{numbers['wer']:.1f} %",
            "WER of the untrained network": f"{chance['wer']:.1f} %",
            "CER": f"{numbers['cer']:.1f} %",
            "word times off by (median)": f"{1000 * _time_error(runner, test):.0f} ms",
        }
    )
    report.text(
        f"{len(TRAINING)} synthetic voices spoke {training} sentences to learn from. The test is {len(test)} other "
        f"sentences by a voice of another accent ({HELD_OUT.name}): neither the voice nor the sentences were in "
        "training, every word was. Synthetic speech is far easier than recordings: these numbers say that the "
        "machinery works, not how it does on people."
    )
    row = test[0]
    assert row.audio is not None
    samples, rate = io.load(row.audio)
    result = runner(Request(row.audio))
    report.section("One clip", f"Said: `{row.text}`. Heard: `{result.text.lower()}`.")
    report.audio(samples, rate)
    report.figure(aligned(samples, rate, result), "Spectrogram, and under it each word where the network heard it")
    report.section(
        "How it learned", "Loss an utterance in training and validation, and the word error rate of validation."
    )
    lines = (runner_folder(corpus) / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    report.figure(curves(rows, ["train/loss", "val/loss"], y="loss"), "CTC loss")
    report.figure(curves(rows, ["val/wer", "val/cer"], y="%"), "Error rates on validation sentences")
    report.section("What it heard", "Words in red are wrong, struck words were missed, underlined ones were added.")
    report.table(("sound", "said", "heard", "WER %"), [_line(u, test) for u in trained.utterances[:_HEARD]])
    report.section("Go on")
    report.code(f"onsei recognition transcribe {runner_folder(corpus)} YOUR.wav --format srt")
    report.code(f"onsei recognition evaluate {runner_folder(corpus)} --test-manifest {corpus.test}")
    return report


def runner_folder(corpus: Corpus) -> Path:
    """The model folder of the demo that made ``corpus``."""
    return corpus.train.parent.parent / "recognition"


def _line(utterance: Utterance, test: Manifest) -> tuple[Sound | None, str, Marked, float]:
    row = next(row for row in test if row.id == utterance.id)
    sound = Sound(*io.load(row.audio)) if row.audio is not None else None
    marks = {"hit": "good", "substitution": "wrong", "deletion": "missing", "insertion": "added"}
    edits = align(utterance.reference.split(), utterance.hypothesis.split())
    parts = [(f"{edit.hypothesis or edit.reference} ".lower(), marks[edit.kind]) for edit in edits]
    return sound, utterance.reference.lower(), Marked(parts), round(utterance.words.rate, 1)  # type: ignore[arg-type]


def _time_error(runner: Transcriber, test: Manifest) -> float:
    """Median distance of a word's heard start from where the synthesizer put it, in seconds, over words heard right."""
    off = []
    for row in test:
        assert row.audio is not None
        heard = runner(Request(row.audio)).words
        said = row.extra["words"]
        if [word.text.lower() for word in heard] == [word for word, _, _ in said]:
            off += [abs(word.start - start) for word, (_, start, _) in zip(heard, said, strict=True)]
    return float(np.median(off)) if off else float("nan")
