"""What a run shows: progress, trackers, the journal."""

import io
import json
import sys

import pytest
import torch
from rich.console import Console

from onsei.errors import MissingExtraError
from onsei.training.journal import Journal
from onsei.training.learner import Fault
from onsei.training.options import Training
from onsei.training.progress import Progress
from onsei.training.tracking import open_trackers
from tests.training.toys import Gan, Source, fit, metrics


class Watch:
    time = 0.0

    def __call__(self):
        return self.time


def test_a_log_gets_one_line_a_minute():
    watch, text = Watch(), io.StringIO()
    progress = Progress(console=Console(file=text, width=200), now=watch)
    for step in range(1, 301):  # a step a second
        watch.time = float(step)
        progress.step(0, step, {"grad": 2.0, "loss": 1.5}, step / 600)
    lines = text.getvalue().splitlines()
    assert len(lines) == 5
    assert lines[0] == "epoch 1  10%  step 60  loss 1.5  1.00 it/s  ETA 0:09:00"


def test_a_resumed_run_tells_the_time_left_from_what_it_did_itself():
    watch, text = Watch(), io.StringIO()
    progress = Progress(console=Console(file=text, width=200), now=watch, done=0.5)
    watch.time = 60.0
    progress.step(3, 90, {"loss": 1.0}, 0.75)
    assert "ETA 0:01:00" in text.getvalue()


def test_a_terminal_gets_a_bar_with_loss_speed_and_time_left():
    text = io.StringIO()
    progress = Progress(console=Console(file=text, force_terminal=True, width=120))
    progress.step(0, 1, {"loss": 0.25}, 0.5)
    progress.say("[a word] in brackets")
    progress.close()
    shown = text.getvalue()
    assert "loss 0.25" in shown
    assert "it/s" in shown
    assert "ETA" in shown
    assert "[a word] in brackets" in shown


def test_silence_leaves_only_what_must_be_said():
    text = io.StringIO()
    progress = Progress(silent=True, console=Console(file=text, force_terminal=True))
    progress.step(0, 1, {"loss": 0.25}, 0.5)
    progress.tell("chatter")
    progress.say("warning")
    assert text.getvalue() == "warning\n"


def test_other_processes_say_nothing():
    text = io.StringIO()
    progress = Progress(shown=False, console=Console(file=text, force_terminal=True))
    progress.say("warning")
    progress.step(0, 1, {"loss": 0.25}, 0.5)
    assert text.getvalue() == ""


def test_the_journal_is_cut_back_and_goes_on(tmp_path):
    journal = Journal(tmp_path, {})
    journal.write({"step": 1})
    length = journal.sync()
    journal.write({"step": 2})
    journal.close()
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 3, "tor')
    journal = Journal(tmp_path, {}, length)
    journal.write({"step": 2, "x": float("nan")})
    journal.close()
    assert (tmp_path / "metrics.jsonl").read_text() == '{"step": 1}\n{"step": 2, "x": null}\n'


def test_the_quarantine_outlives_a_torn_line_and_counts_each_row_once(tmp_path):
    faults = [Fault("a", "音.wav", "broken"), Fault("b", "b.wav", "broken"), Fault("a", "音.wav", "broken")]
    journal = Journal(tmp_path, {})
    assert [fault.id for fault in journal.quarantine(faults, 1)] == ["a", "b"]
    journal.close()
    path = tmp_path / "quarantine.jsonl"
    path.write_bytes(path.read_bytes()[:-5])
    journal = Journal(tmp_path, {})
    assert journal.quarantined == 1
    assert [fault.id for fault in journal.quarantine(faults, 2)] == ["b"]
    journal.close()
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [(row["id"], row["file"], row["step"]) for row in rows] == [("a", "音.wav", 1), ("b", "b.wav", 2)]


def test_tensorboard_shows_the_numbers_of_the_log_and_histograms(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    fit(tmp_path, Gan(), epochs=2, tracker=("tensorboard",), log_params=True)
    events = EventAccumulator(str(tmp_path / "tensorboard"), size_guidance={"histograms": 0}).Reload()
    assert {"train/loss", "val/loss", "lr/critic", "grad_norm/generator"} <= set(events.Tags()["scalars"])
    assert [event.step for event in events.Scalars("train/loss")] == list(range(1, 15))
    assert [event.step for event in events.Scalars("val/loss")] == [7, 14]
    written = {row["step"]: row for row in metrics(tmp_path) if "val/loss" in row}
    assert [e.value for e in events.Scalars("val/loss")] == pytest.approx([written[n]["val/loss"] for n in (7, 14)])
    assert {"params/critic.0.weight", "grads/generator.0.weight"} <= set(events.Tags()["histograms"])
    assert len(events.Histograms("params/critic.0.weight")) == 2


def test_a_resume_hides_what_was_shown_past_its_checkpoint(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    fit(tmp_path, epochs=1, tracker=("tensorboard",), log_dir=str(tmp_path / "logs"), id="mine")
    fit(
        tmp_path,
        epochs=2,
        tracker=("tensorboard",),
        log_dir=str(tmp_path / "logs"),
        id="mine",
        continue_from=str(tmp_path),
    )
    events = EventAccumulator(str(tmp_path / "logs" / "mine")).Reload()
    assert [event.step for event in events.Scalars("train/loss")] == list(range(1, 15))


def test_wandb_is_given_name_run_and_configuration_but_its_variables_win(tmp_path, monkeypatch):
    calls = []

    class Run:
        def log(self, values, step):
            calls.append((step, values))

        def finish(self):
            calls.append("finish")

    class Wandb:
        @staticmethod
        def init(**given):
            calls.append(given)
            return Run()

        @staticmethod
        def Histogram(values):  # noqa: N802 - wandb's name
            return len(values)

    monkeypatch.setitem(sys.modules, "wandb", Wandb)
    monkeypatch.setenv("WANDB_PROJECT", "theirs")
    monkeypatch.delenv("WANDB_NAME", raising=False)
    monkeypatch.delenv("WANDB_RUN_ID", raising=False)
    training = Training(tracker=("wandb",), id="mine")
    (tracker,) = open_trackers(training, tmp_path, run="abc", step=0, resolved={"x": 1})
    tracker.log(3, {"train/loss": 1.0})
    tracker.histograms(4, {"w": torch.tensor([1.0, float("nan")])})
    tracker.close()
    first, *rest = calls
    assert first == {"config": {"x": 1}, "name": "mine", "id": "abc", "resume": "allow", "dir": str(tmp_path)}
    assert rest == [(3, {"train/loss": 1.0}), (4, {"w": 1}), "finish"]


@pytest.mark.parametrize("library", ["wandb", "tensorboard"])
def test_a_tracker_whose_library_is_missing_says_how_to_install_it(tmp_path, monkeypatch, library):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtraError, match=library) as caught:
        fit(tmp_path, train=Source(), tracker=(library,))
    assert caught.value.mend == f"pip install 'onsei[{library}]'"
    assert not (tmp_path / "metrics.jsonl").exists()
