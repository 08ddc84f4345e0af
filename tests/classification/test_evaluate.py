"""``onsei classification evaluate``: numbers against brute force, the report in a browser, mistakes told at once."""

from __future__ import annotations

import io as io_
import json
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from onsei import cli
from onsei.audio import io
from onsei.data import manifest
from onsei.data.manifest import Manifest
from onsei.data.row import Row
from onsei.errors import DataError
from onsei.systems.classification.data.example import KINDS, RATE, example, sound
from onsei.systems.classification.evaluation import Clip, Tally, measure, tables
from onsei.systems.classification.evaluation.chosen import Chosen, Hardest
from onsei.systems.classification.training import train
from tests.plots.browser import needs_browser, told
from tests.plots.test_report import EVIL, Tags

metrics = pytest.importorskip("sklearn.metrics")
LABELS = ("a", "b", "c", "d")


def clip(truth: int, chances, name="x", speaker=None, **extra) -> Clip:
    row = Row(id=name, label=LABELS[truth], speaker=speaker, extra=extra)
    return Clip(row, LABELS, truth, np.array(chances, np.float32), 1.0)


def random_clips(count: int, seed: int = 0) -> list[Clip]:
    random = np.random.default_rng(seed)
    chances = 0.999 * random.dirichlet(np.ones(4) * 0.5, count) + 0.00025
    return [clip(int(random.integers(4)), row, str(n)) for n, row in enumerate(chances)]


def tallied(clips) -> Tally:
    tally = Tally(LABELS)
    for one in clips:
        tally.add(one)
    return tally


def test_numbers_are_those_of_scikit_learn():
    clips = random_clips(200)
    numbers = tallied(clips).numbers()
    truths, chances = [c.truth for c in clips], np.stack([c.probabilities for c in clips])
    guesses = chances.argmax(1)
    assert numbers["accuracy"] == pytest.approx(100 * metrics.accuracy_score(truths, guesses))
    assert numbers["macro_f1"] == pytest.approx(100 * metrics.f1_score(truths, guesses, average="macro"))
    assert numbers["balanced_accuracy"] == pytest.approx(100 * metrics.balanced_accuracy_score(truths, guesses))
    assert numbers["top3_accuracy"] == pytest.approx(100 * metrics.top_k_accuracy_score(truths, chances, k=3))
    assert numbers["cross_entropy"] == pytest.approx(
        metrics.log_loss(truths, chances / chances.sum(1)[:, None]), rel=1e-4
    )
    recalls = metrics.recall_score(truths, guesses, average=None)
    assert [numbers[f"recall/{label}"] for label in LABELS] == pytest.approx((100 * recalls).tolist())
    assert numbers["accuracy_low"] < numbers["accuracy"] < numbers["accuracy_high"]


def test_intervals_are_over_groups_where_all_clips_have_one_and_there_are_enough():
    chances = np.eye(4) * 0.9 + 0.025
    grouped = [
        clip(n % 4, chances[(n % 4 + (n // 5 % 3 == 0)) % 4], str(n), recording=f"r{n // 5}") for n in range(100)
    ]
    tally = tallied(grouped)
    assert tally.grouped_by("auto") == "recording"
    wide, narrow = tally.numbers("recording"), tally.numbers("clip")
    assert wide["accuracy"] == narrow["accuracy"]
    assert wide["accuracy_high"] - wide["accuracy_low"] > 1.5 * (narrow["accuracy_high"] - narrow["accuracy_low"])
    with pytest.raises(DataError, match="rows without `speaker`"):
        tally.grouped_by("speaker")
    tally.add(clip(0, chances[0]))
    assert tally.grouped_by("auto") == "clip"
    assert tallied(grouped[:20]).grouped_by("auto") == "clip"


def test_chosen_clips_come_in_turn_the_hardest_of_every_cell_first():
    chosen, hardest, clips = Chosen(), Hardest(5), random_clips(400)
    for one in clips:
        chosen.add(one)
        hardest.add(one)
    by_loss = sorted(clips, key=lambda c: -c.loss)
    assert [c.id for c in hardest.clips()] == [c.id for c in by_loss[:5]]
    turn = list(chosen.in_turn())
    cells = {(c.truth, c.guessed) for c in clips}
    assert {(c.truth, c.guessed) for c in turn[: len(cells)]} == cells
    assert turn[0] == by_loss[0]
    assert len({c.id for c in turn}) == len(turn) <= 6 * len(cells) + 4
    for n in range(4):
        surest = max((c for c in clips if c.right and c.truth == n), key=lambda c: c.chance)
        assert surest.id in {c.id for c in turn[: 3 * len(cells)]}


def test_memory_does_not_grow_with_clips():
    chosen, tally = Chosen(), Tally(LABELS)
    for n, one in enumerate(random_clips(3000)):
        one = replace(one, row=replace(one.row, speaker=f"s{n}"))
        chosen.add(one)
        tally.add(one)
    assert len(list(chosen.in_turn())) <= 100
    assert len(tally._groups["speaker"].parts) == 2000
    assert sum(part.total() for part in tally._groups["speaker"].parts) == 3000


class Ears:
    """Names a sound by its level, and knows nothing else."""

    labels = ("loud", "soft")
    sample_rate = 8000

    def probabilities(self, sounds):
        loud = np.array([float(np.abs(sound).max() > 0.3) for sound in sounds], np.float32)
        return np.stack([0.2 + 0.6 * loud, 0.8 - 0.6 * loud], 1)


def written(folder: Path, rows: list[tuple[str, str, float]]) -> Manifest:
    for name, _, level in rows:
        if level >= 0:
            io.save(folder / f"{name}.wav", level * np.sin(np.arange(4000)).astype(np.float32), 8000)
    found = [Row(id=name, audio=folder / f"{name}.wav", label=label) for name, label, _ in rows]
    manifest.write(folder / "m.jsonl", found)
    return Manifest.open(folder / "m.jsonl")


def test_any_network_that_answers_can_be_measured_and_broken_files_are_counted(tmp_path):
    rows = [("a", "loud", 0.9), ("b", "soft", 0.1), ("c", "loud", 0.1), ("d", "soft", -1), ("e", "other", 0.5)]
    opened = written(tmp_path, rows)
    (tmp_path / "d.wav").write_bytes(b"no sound")
    found = measure(Ears(), opened)
    assert {c.id: (c.label, c.guess) for c in found.clips} == {
        "a": ("loud", "loud"), "b": ("soft", "soft"), "c": ("loud", "soft"),
    }  # fmt: skip
    assert [fault.id for fault in found.faults] == ["d"]
    assert found.numbers()["accuracy"] == pytest.approx(200 / 3)
    assert found.numbers()["unreadable"] == 1
    assert found.numbers()["audio_seconds"] == pytest.approx(1.5)


def test_nothing_to_measure_is_told(tmp_path):
    with pytest.raises(DataError, match="none of its 1 sounds"):
        measure(Ears(), written(tmp_path, [("a", "other", 0.5)]))


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """A model that learned a little, and its validation rows with one more of an evil name."""
    folder = tmp_path_factory.mktemp("classes")
    options = example(folder).train
    train(replace(options, training=replace(options.training, epochs=2)))
    io.save(folder / "evil.wav", sound("hum", 8.0, np.random.default_rng(1)), RATE)
    rows = [*Manifest.open(folder / "val.jsonl"), Row(id=EVIL, audio=folder / "evil.wav", label="noise")]
    manifest.write(folder / "test.jsonl", rows)
    return folder


def run(learned, *words):
    return cli.main(
        ["classification", "evaluate", str(learned / "run"), "--device", "cpu", "--test-manifest", *map(str, words)]
    )


@pytest.fixture(scope="module")
def page(learned):
    out = learned / "out"
    words = ("--json", out / "n.json", "--table", out / "t.jsonl", "--report", out / "r.html", "--title", EVIL)
    assert run(learned, learned / "test.jsonl", *words) == 0
    return out / "r.html"


def test_the_verb_writes_numbers_and_a_table_that_agree(page):
    numbers = json.loads((page.parent / "n.json").read_text(encoding="utf-8"))
    rows = [json.loads(line) for line in (page.parent / "t.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(rows) == numbers["clips"] == 31
    assert numbers["accuracy"] == pytest.approx(100 * np.mean([row["right"] for row in rows]))
    assert all((row["guess"] == row["label"]) == row["right"] for row in rows)
    assert numbers["data"] == "test.jsonl"
    assert all(isinstance(numbers[f"f1/{kind}"], float) for kind in KINDS)


def test_the_report_is_one_small_file_with_every_text_escaped(page):
    text = page.read_text(encoding="utf-8")
    found = Tags(text)
    assert len(text) < 2_000_000
    assert found.tags.count("script") == 1
    assert found.words.count("<script>alert('x')</script>") >= 3
    assert all(v.startswith(("data:", "#")) for k, v in found.attributes if k in ("src", "href"))
    for part in ("Hardest clips", "How it learned", "6.0 s from 1.0 s on, of 8.0 s", "onsei classification evaluate"):
        assert part in found.words
    assert 10 < found.tags.count("audio") <= 31
    assert f"{found.tags.count('audio')} of 31 clips are here" in found.words


def test_a_report_of_thousands_of_clips_stays_small(learned, tmp_path, monkeypatch):
    from onsei.systems.classification.evaluation import report

    monkeypatch.setattr(report, "BUDGET", 60_000)
    rows = list(Manifest.open(learned / "test.jsonl"))
    many = [replace(row, id=f"{row.id}-{n}") for n in range(5) for row in rows]
    manifest.write(tmp_path / "many.jsonl", many)
    assert run(learned, tmp_path / "many.jsonl", "--report", tmp_path / "r.html") == 0
    text = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert 1 <= text.count("<audio") < 10
    assert len(text) < 400_000


CHOOSE = """
const clips = [...document.querySelectorAll(".clip")];
const cells = [...document.querySelectorAll(".matrix button")];
const counts = cells.map((button) => {
  button.click();
  const here = clips.filter((clip) => !clip.hidden).length;
  return here > 0 && here <= Number(button.textContent);
});
document.querySelector("td button.show:not(.matrix *)").click();
const audio = clips[0].querySelector("audio");
audio.addEventListener("canplay", () => {
  document.title = [clips.length, counts.every(Boolean), audio.readyState >= 2, window.faults.length].join("|");
}, { once: true });
audio.load();
"""


@needs_browser
def test_in_a_browser_every_cell_shows_its_clips_and_nothing_is_missing(page):
    count = page.read_text(encoding="utf-8").count("<audio")
    assert told(page, CHOOSE) == f"{count}|true|true|0"


def test_a_report_that_is_there_is_kept(learned, page, capsys):
    before = page.read_bytes()
    assert run(learned, learned / "test.jsonl", "--report", page) == 2
    assert "--force" in capsys.readouterr().err
    assert page.read_bytes() == before


def test_classes_that_the_model_does_not_have_stop_or_are_dropped(learned, tmp_path, capsys):
    rows = list(Manifest.open(learned / "val.jsonl"))
    manifest.write(
        tmp_path / "m.jsonl", [replace(rows[0], id="x", label="Hum"), replace(rows[1], id="y", label="owl"), *rows]
    )
    assert run(learned, tmp_path / "m.jsonl") == 2
    error = capsys.readouterr().err
    assert "2 rows of 2 classes that are not among the model's 3" in error
    assert "'Hum' (1, the model has 'hum')" in error
    assert run(learned, tmp_path / "m.jsonl", "--unknown-labels", "drop", "--json", tmp_path / "n.json") == 0
    numbers = json.loads((tmp_path / "n.json").read_text())
    assert (numbers["clips"], numbers["unknown_labels"]) == (30, 2)


def test_a_pushed_model_says_what_it_reached(learned, page, tmp_path):
    words = ["push", str(learned / "run"), "--export", str(tmp_path / "out"), "--results", str(page.parent / "n.json")]
    assert cli.main(words) == 0
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    assert 'pipeline_tag: "audio-classification"' in card
    assert "## Results on test.jsonl" in card
    assert "| class | clips | precision | recall | f1 |" in card
    assert re.search(r"\| accuracy \| [\d.]+ \([\d.]+ to [\d.]+\) \|", card)
    shutil.rmtree(tmp_path / "out")


def test_tensorboard_shows_numbers_matrix_and_sounds(learned, tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    shutil.copytree(learned / "run", tmp_path / "run", ignore=shutil.ignore_patterns("checkpoints"))
    words = ["evaluate", str(tmp_path / "run"), "--test-manifest", str(learned / "test.jsonl"), "--device", "cpu"]
    assert cli.main(["classification", *words, "--tracker", "tensorboard", "--json", str(tmp_path / "n.json")]) == 0
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard" / "evaluate-test")).Reload()
    (accuracy,) = events.Scalars("test/accuracy")
    assert accuracy.value == pytest.approx(json.loads((tmp_path / "n.json").read_text())["accuracy"])
    assert {"test/confusion", "test/calibration"} <= set(events.Tags()["images"])
    assert len(events.Tags()["audio"]) == 20


def test_wandb_gets_a_table_of_sounds(learned, tmp_path, monkeypatch):
    logged = {}

    class Wandb:
        class Run:
            def log(self, values, step):
                logged.update(values)

            def finish(self):
                logged["finished"] = True

        Image = staticmethod(lambda pixels: pixels.shape)
        Audio = staticmethod(lambda samples, sample_rate: (len(samples), sample_rate))
        Table = staticmethod(lambda columns, data: (columns, data))

        @classmethod
        def init(cls, **given):
            logged.update(given)
            return cls.Run()

    monkeypatch.setitem(sys.modules, "wandb", Wandb)
    monkeypatch.setenv("WANDB_NAME", "theirs")
    assert run(learned, learned / "test.jsonl", "--tracker", "wandb") == 0
    columns, rows = logged["test/hardest"]
    assert columns == ["name", "is", "taken for", "sure of that", "sure of what it is", "sound"]
    assert len(rows) == 20
    assert all(row[-1][1] == RATE for row in rows)
    assert logged["test/confusion"][2] == 3
    assert "name" not in logged
    assert logged["finished"]


def test_the_matrix_is_printed_with_numbered_classes_where_it_has_room():
    from rich.console import Console

    tally = tallied([clip(0, [0.1, 0.7, 0.1, 0.1]), clip(2, [0, 0, 1, 0])])
    console = Console(width=80, record=True, file=io_.StringIO())
    console.print(tables.matrix(tally))
    lines = [line.split() for line in console.export_text().splitlines()]
    assert ["1", "a", "·", "1", "·", "·"] in lines
    assert ["3", "c", "·", "·", "1", "·"] in lines
    assert tables.matrix(Tally([str(n) for n in range(17)])) is None
