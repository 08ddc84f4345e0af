"""Training from clips: micro-batches, windows, changes of films, scalers that are not theirs."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import onsei
from onsei import cli
from onsei.data.loader import Draw
from onsei.data.manifest import Manifest
from onsei.errors import ConfigError, DataError, OnseiError
from onsei.systems.articulation.config import Augment, Data, Model
from onsei.systems.articulation.data.batches import Preparation, shrunk
from onsei.systems.articulation.data.changes import changed
from onsei.systems.articulation.data.example import PREPARED, SIZE
from onsei.systems.articulation.data.prepared import Scaler
from onsei.systems.articulation.training import settled, train


def short(made, folder, **changes):
    clock = replace(made.train.training, max_steps=2)
    return replace(made.train, output_dir=folder, training=clock, **changes)


def lines(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]


def test_micro_batches_make_the_steps_of_whole_ones(made, tmp_path):
    model = replace(made.train.model, norm="group")
    whole = short(made, tmp_path / "whole", model=model, data=Data(batch_size=4))
    micro = short(made, tmp_path / "micro", model=model, data=Data(batch_size=4, micro_batch_size=1))
    assert settled(micro).training.accumulate == 4
    train(whole)
    train(micro)
    ours, theirs = (
        [line["train/loss"] for line in lines(f.output_dir) if "train/loss" in line] for f in (micro, whole)
    )
    assert len(ours) == len(theirs) == 2
    with pytest.raises(ConfigError, match="divisor"):
        settled(short(made, tmp_path, data=Data(batch_size=4, micro_batch_size=3)))


def test_windows_of_clips_are_learned_and_spoken(made, tmp_path):
    options = short(made, tmp_path / "run", model=replace(made.train.model, window=4))
    train(options)
    rows = Manifest.open(tmp_path / "run" / "data" / "windows-train.jsonl")
    assert len(rows) == 24 * 11
    model = onsei.load(tmp_path / "run", device="cpu")
    frames = model.frames(made.requests[1].video)
    found = model.predict(frames)
    assert found.shape == (16, 14)
    assert model.model.options.window == 4


def test_bands_are_logged_in_decibels(made, model):
    names = {name for line in lines(model) for name in line}
    assert {"train/band/0-3", "val/band/8-15", "val/mae", "train/mae"} <= names
    last = [line for line in lines(model) if "val/mae" in line][-1]
    assert 0.5 < last["val/mae"] < 6


def test_a_scaler_of_another_run_is_refused(made, tmp_path):
    other = tmp_path / "scaler.json"
    other.write_text(json.dumps({"mean": -20.0, "std": 15.0, "prepared": "other"}), encoding="utf-8")
    with pytest.raises(DataError, match="another run"):
        train(short(made, tmp_path / "a", scaler_json=other))
    other.write_text(json.dumps({"mean": 400.0, "std": 0.1}), encoding="utf-8")
    with pytest.raises(DataError, match="another run"):
        train(short(made, tmp_path / "b", scaler_json=other))
    for text in ("{}", "[1]", '{"mean": 1, "std": 0}', '{"mean": 1, "std": -2}', "no json"):
        other.write_text(text, encoding="utf-8")
        with pytest.raises(DataError, match=r"scaler\.json"):
            train(short(made, tmp_path / "c", scaler_json=other))
    assert not list(tmp_path.glob("[abc]/checkpoints"))


def test_resuming_with_another_scaler_is_refused(made, tmp_path):
    options = short(made, tmp_path / "run")
    train(options)
    other = tmp_path / "scaler.json"
    known = json.loads((made.train.train_manifest.parent / "scaler.json").read_text(encoding="utf-8"))
    other.write_text(json.dumps({**known, "mean": known["mean"] + 1}), encoding="utf-8")
    clock = replace(options.training, continue_from=str(options.output_dir), max_steps=4)
    with pytest.raises(DataError, match="scaler"):
        train(replace(options, scaler_json=other, training=clock))


def test_validation_clips_of_another_preparation_are_refused(made, tmp_path):
    folder = made.train.train_manifest.parent
    (tmp_path / "val.jsonl").write_bytes((folder / "val.jsonl").read_bytes())
    meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    (tmp_path / "meta.json").write_text(json.dumps({**meta, "size": 32}), encoding="utf-8")
    with pytest.raises(DataError, match="size"):
        train(short(made, tmp_path / "run", val_manifest=tmp_path / "val.jsonl"))


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"id": "a", "video": "film.mp4", "features": "m.npy"}, "prepare"),
        ({"id": "a", "video": "none.npy", "features": "m.npy"}, "no such file"),
        ({"id": "a", "video": "v.npy"}, "features"),
        ({"id": "a", "video": "v.npy", "features": "short.npy"}, "4 pictures and 3 mel frames"),
        ({"id": "a", "video": "m.npy", "features": "m.npy"}, "expected pictures"),
        ({"id": "a", "video": "v.npy", "features": "nan.npy"}, "NaN"),
        ({"id": "a", "video": "v.npy", "features": "v.npy"}, "log-mel"),
    ],
)
def test_rows_that_cannot_be_used_say_why(tmp_path, row, told):
    np.save(tmp_path / "v.npy", np.zeros((4, SIZE, SIZE), np.uint8))
    np.save(tmp_path / "m.npy", np.zeros((16, 4), np.float32))
    np.save(tmp_path / "short.npy", np.zeros((16, 3), np.float32))
    np.save(tmp_path / "nan.npy", np.full((16, 4), np.nan, np.float32))
    (tmp_path / "a.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    prepare = Preparation(PREPARED, Scaler(0.0, 1.0), Model(size=SIZE))
    with pytest.raises(DataError, match=told):
        prepare(Manifest.open(tmp_path / "a.jsonl")[0], Draw(0, 0, "a"))


def test_a_manifest_without_meta_is_refused(made, tmp_path):
    (tmp_path / "train.jsonl").write_bytes(made.train.train_manifest.read_bytes())
    with pytest.raises(DataError, match=r"meta\.json"):
        train(short(made, tmp_path / "run", train_manifest=tmp_path / "train.jsonl"))


def test_changes_depend_on_the_draw_alone_and_move_all_frames_alike():
    still = torch.rand(1, 1, 24, 24).expand(5, -1, -1, -1)
    options = Augment(shift=0.2, scale=0.1, turn=10.0, gamma=0.5, blank=0.4)
    one, again, other = (changed(still, options, Draw(0, epoch, "a")) for epoch in (0, 0, 1))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert torch.allclose(one, one[:1].expand_as(one))
    noisy = changed(still, Augment(noise=0.1), Draw(0, 0, "a"))
    assert (noisy - still).std() == pytest.approx(0.1, rel=0.1)
    assert torch.equal(changed(still, Augment(), Draw(0, 0, "a")), still)


def test_a_shift_moves_the_picture_by_its_part():
    picture = torch.zeros(1, 1, 20, 20)
    picture[..., 10, :] = 1
    rows = set()
    for epoch in range(40):
        moved = changed(picture, Augment(shift=0.2), Draw(0, epoch, "a"))
        rows.add(int(moved[0, 0, :, 10].argmax()))
    assert min(rows) <= 7
    assert max(rows) >= 13
    assert min(rows) >= 6 - 1
    assert max(rows) <= 14 + 1


def test_pictures_shrink_by_area_and_masks_hide():
    frames = np.zeros((1, 4, 4), np.float32)
    frames[0, :2, :2] = 1
    np.testing.assert_allclose(shrunk(frames, 2)[0], [[1, 0], [0, 0]])
    np.testing.assert_allclose(shrunk(frames, 1)[0], [[0.25]])
    assert shrunk(frames, 8).shape == (1, 8, 8)


def test_a_mask_beside_the_pictures_is_obeyed(tmp_path):
    np.save(tmp_path / "mri.npy", np.full((4, SIZE, SIZE), 255, np.uint8))
    mask = np.ones((4, SIZE, SIZE), np.uint8)
    mask[:, :8] = 0
    np.save(tmp_path / "mask.npy", mask)
    np.save(tmp_path / "m.npy", np.zeros((16, 4), np.float32))
    row = {"id": "a", "video": "mri.npy", "features": "m.npy"}
    (tmp_path / "a.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    item = Preparation(PREPARED, Scaler(0.0, 1.0), Model(size=SIZE))(
        Manifest.open(tmp_path / "a.jsonl")[0], Draw(0, 0, "")
    )
    assert item.frames[:, :, :8].max() == 0
    assert item.frames[:, :, 8:].min() == 1


def test_the_command_line_trains_from_what_prepare_wrote(films, tmp_path):
    from tests.articulation.conftest import SMALL

    clips = tmp_path / "clips"
    assert cli.main(["articulation", "prepare", "--data-dir", str(films), "--out-dir", str(clips), *SMALL]) == 0
    words = ["--train-manifest", str(clips / "train.jsonl"), "--val-manifest", str(clips / "val.jsonl")]
    words += ["--output-dir", str(tmp_path / "run"), "--max-steps", "2", "--size", "16", "--silent", "--threads", "1"]
    words += ["--edges", "4", "8", "12", "16", "--channels", "4", "8", "--device", "cpu"]
    assert cli.main(["articulation", "train", "tiny", *words]) == 0
    assert onsei.load(tmp_path / "run", device="cpu").prepared.subframes == 1
    with pytest.raises(OnseiError):
        train(replace(made_options(clips, tmp_path / "run")))


def made_options(clips, folder):
    from onsei.systems.articulation.config import Train

    return Train(train_manifest=clips / "train.jsonl", output_dir=folder)
