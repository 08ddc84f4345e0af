"""Checkpoints are written whole or not at all, and give back exactly what they were given."""

import errno
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from onsei.errors import ModelError, OnseiError
from onsei.hub import weights
from onsei.training import checkpoint as checkpoints
from onsei.training.clock import Standing
from onsei.training.state import describe_difference, flatten, unflatten
from tests.training.toys import Regression, fit, metrics

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
KEYS = st.text() | st.integers() | st.sampled_from(["$tensor", "$tuple", "$pairs", "a.b", ""])
STATES = st.recursive(
    SCALARS | st.sampled_from([torch.arange(3), torch.zeros(0), torch.tensor(1.5, dtype=torch.bfloat16)]),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(KEYS, inner),
    max_leaves=12,
)


def same(a, b):
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b) and a.dtype == b.dtype
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return type(a) is type(b) and a == b


def write(run, state, step=1, **standing):
    return checkpoints.write(
        run,
        state,
        standing=Standing(run="r", step=step, **standing),
        learner="toys:Toy",
        world=1,
        fingerprint={"rows": 3},
        metrics_bytes=7,
    )


@given(STATES)
@settings(max_examples=100, deadline=None)
def test_flatten_and_unflatten_are_inverse(state):
    tensors, tree = flatten(state)
    assert same(unflatten(tree, tensors), state)


def test_what_is_written_is_read_back_exactly(tmp_path):
    state = {"a": {1: (0.1, math.inf, torch.randn(3, 2).t())}, "none": None, "numbers": [1e-300, -0.0, 2**60]}
    written = write(tmp_path, state, epoch=2, values={"val/loss": float("nan")}, best=-math.inf)
    found = checkpoints.read(written.path)
    assert same(found.read_state(), state)
    assert (found.standing.step, found.standing.epoch, found.standing.best) == (1, 2, -math.inf)
    assert (found.learner, found.world, found.fingerprint, found.metrics_bytes) == ("toys:Toy", 1, {"rows": 3}, 7)


def test_tied_weights_are_stored_once_and_stay_equal(tmp_path):
    weight = torch.randn(50)
    written = write(tmp_path, {"encoder": weight, "decoder": weight, "view": weight[:10]})
    assert len(weights.keys(written.path / checkpoints.TENSORS)) == 2
    state = written.read_state()
    assert torch.equal(state["decoder"], weight)
    assert torch.equal(state["view"], weight[:10])


@pytest.mark.parametrize("width", range(1, 9))
def test_a_file_whose_header_length_begins_like_a_pickle_can_be_read(tmp_path, width):
    """One header in some hundreds has such a length; long and short names go through them all."""
    for count in range(1, 12):
        state = {f"{'w' * width}{i:02}": torch.tensor([float(i)]) for i in range(count)}
        assert same(write(tmp_path, state).read_state(), state)


def test_a_value_that_json_cannot_hold_is_told_with_its_path():
    with pytest.raises(TypeError, match=r"state modules\.a\.1: expected a tensor or a JSON value, found object"):
        flatten({"modules": {"a": [1, object()]}})


def test_differences_are_told_in_short():
    saved = {name: torch.zeros(2) for name in "abcdef"}
    here = {"a": torch.zeros(3), "z": torch.zeros(1)}
    assert describe_difference(saved, here).endswith("; and 4 more")
    assert describe_difference(saved, saved) == ""


def test_no_pickle_is_written(tmp_path):
    fit(tmp_path, epochs=1)
    names = {p.name for p in tmp_path.rglob("*") if p.is_file()}
    assert names == {"config.yaml", "metrics.jsonl", "quarantine.jsonl", checkpoints.HEADER, checkpoints.TENSORS}


@pytest.mark.parametrize("mode", ["min", "max"])
def test_the_newest_and_the_best_stay(tmp_path, mode):
    for step, score in enumerate([3.0, 1.0, 5.0, 1.0, 5.0, None, 2.0], start=1):
        write(tmp_path, {}, step, score=score, batch=step % 2)
    assert checkpoints.find_best(tmp_path, mode).standing.step == (2 if mode == "min" else 3)
    checkpoints.prune(tmp_path, keep=2, mode=mode, every_epoch=False)
    kept = [c.standing.step for c in checkpoints.list_readable(tmp_path)]
    assert kept == ([2, 6, 7] if mode == "min" else [3, 6, 7])


def test_those_between_epochs_stay_if_asked_for(tmp_path):
    for step in range(1, 7):
        write(tmp_path, {}, step, batch=step % 3)
    checkpoints.prune(tmp_path, keep=1, mode="min", every_epoch=True)
    assert [c.standing.step for c in checkpoints.list_readable(tmp_path)] == [3, 6]


def test_folders_are_ordered_by_step_and_others_are_left_alone(tmp_path):
    for step in (99_999_999, 100_000_000, 5):
        write(tmp_path, {}, step)
    stray = tmp_path / checkpoints.FOLDER / "step-mine"
    stray.mkdir()
    found = checkpoints.list_folders(tmp_path)
    assert [p.name for p in found] == ["step-00000005", "step-99999999", "step-100000000"]
    checkpoints.prune(tmp_path, keep=1, mode="min", every_epoch=False)
    assert stray.is_dir()


def test_a_newer_format_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "FORMAT", 2)
    path = write(tmp_path, {}).path
    monkeypatch.undo()
    with pytest.raises(ModelError, match="newer onsei"):
        checkpoints.read(path)


def test_a_full_disk_while_saving_keeps_the_old_checkpoint_and_the_run_can_go_on(tmp_path, monkeypatch):
    fit(tmp_path / "straight", epochs=3)
    run, save = tmp_path / "run", weights.save

    def fill(path, tensors, metadata=None):
        if "step-00000014" in str(path):
            path.write_bytes(b"half of it")
            raise OSError(errno.ENOSPC, "No space left on device")
        save(path, tensors, metadata)

    monkeypatch.setattr(weights, "save", fill)
    with pytest.raises(OnseiError, match="disk is full"):
        fit(run, epochs=3)
    monkeypatch.undo()
    assert [p.name for p in (run / checkpoints.FOLDER).iterdir()] == ["step-00000007"]
    fit(run, epochs=3, continue_from=str(run))
    assert metrics(run) == metrics(tmp_path / "straight")


def test_the_best_weights_are_those_of_the_average_where_there_is_one(tmp_path):
    learner = Regression()
    saved = {}
    fit(tmp_path, learner, epochs=3, mode="max", ema_decay=0.9, keep=9, save=lambda f, h: saved.update(h))
    best = checkpoints.list_readable(tmp_path)[0]
    assert saved["best_step"] == best.standing.step == 7
    assert torch.equal(learner.modules["net"][0].weight, best.read_state()["ema"]["average"]["net.0.weight"])
