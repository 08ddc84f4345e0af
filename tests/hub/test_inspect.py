"""``onsei inspect``: all that the folder holds, in text and JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import torch
from torch import nn

from onsei.errors import ModelError
from onsei.hub import store
from onsei.hub.inspect import Inspect, inspect, parts
from onsei.hub.weights import TensorInfo
from tests.hub.hostile import MARK, Calls


@pytest.fixture
def model(tmp_path):
    network = nn.ModuleDict(
        {"conv": nn.Sequential(nn.Conv1d(2, 4, 3), nn.BatchNorm1d(4)), "rnn": nn.GRU(4, 5, batch_first=True)}
    )
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "huge.safetensors").write_bytes(b"0" * 100)
    return store.save(
        tmp_path, system="recognition", stage="train", config={"model": {"hidden": 5}, "lr": 1e-4},
        weights=network.state_dict(), labels=["_", "あ", " ", "\x1b[31m"],
        history={"metrics": {"val/wer": 12.5}, "command": "onsei recognition train tiny", "epochs": 3},
    )  # fmt: skip


def printed(capsys, **options) -> str:
    inspect(Inspect(**options))
    return capsys.readouterr().out


def test_text_shows_everything(model, capsys):
    text = printed(capsys, model=str(model))
    for part in (
        "recognition, stage train", "201 parameters + 9 running statistics", "val/wer  12.5", "hidden  5", "lr  0.0001",
        "onsei recognition train tiny", "onsei.json", "model.safetensors", "README.md", "あ", "' '", "torch",
    ):  # fmt: skip
        assert part in text, text
    assert "huge" not in text


def test_a_label_cannot_steer_the_terminal(model, capsys):
    assert "\x1b" not in printed(capsys, model=str(model))


def test_json_is_one_object_with_the_same_numbers(model, capsys):
    found = json.loads(printed(capsys, model=str(model), json=True))
    assert (found["parameters"], found["statistics"]) == (201, 9)
    assert found["network"][0] == {"name": "conv", "parameters": 36, "statistics": 9, "tensors": 7}
    assert found["labels"][3] == "\x1b[31m"
    assert set(found["files"]) == {"README.md", "model.safetensors", "onsei.json"}


def test_depth_sets_how_deep_modules_are_shown(model, capsys):
    names = [p["name"] for p in json.loads(printed(capsys, model=str(model), json=True, depth=1))["network"]]
    assert names == ["conv", "rnn"]


def test_modules_come_in_natural_order():
    tensors = {f"rnn.{i}.weight": TensorInfo((2,), "F32") for i in (10, 2, 1)} | {"scale": TensorInfo((), "F32")}
    assert [p.name for p in parts(tensors)] == ["rnn", "rnn.1", "rnn.2", "rnn.10", "scale"]
    assert next(p for p in parts(tensors) if p.name == "rnn").parameters == 6


def test_a_folder_that_is_no_model_is_an_error(tmp_path):
    with pytest.raises(ModelError, match="not a model folder"):
        inspect(Inspect(model=str(tmp_path)))


def test_a_checkpoint_of_another_toolkit_is_shown_without_running_it(tmp_path, capsys):
    torch.save(
        {
            "version": "0.0.1", "labels": "_AB", "audio_conf": {"sample_rate": 16000, "window": "hamming"},
            "rnn_type": torch.nn.LSTM, "epoch": 2, "wer_results": torch.tensor([50.0, 40.5]),
            "state_dict": {"conv.weight": torch.ones(3, 4), "conv.running_mean": torch.ones(3)},
        },
        tmp_path / "their.pth",
    )  # fmt: skip
    text = printed(capsys, model=str(tmp_path / "their.pth"))
    for part in (
        "checkpoint of deepspeech.pytorch (2020)", "onsei recognition import", "12 parameters + 3 running statistics",
        "rnn_type", "LSTM", "sample_rate  16000", "[50.0, 40.5]", "_AB", "float32 (3, 4)",
    ):  # fmt: skip
        assert part in text, text
    found = json.loads(printed(capsys, model=str(tmp_path / "their.pth"), json=True))
    assert (found["parameters"], found["holds"]["epoch"]) == (12, 2)


def test_a_hostile_checkpoint_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": {}, "extra": Calls(os.system, f"touch {MARK}")}, "their.pth")
    with pytest.raises(ModelError, match="refused"):
        inspect(Inspect(model="their.pth"))
    assert not (tmp_path / MARK).exists()


def test_its_options_import_no_torch():
    code = "import sys, onsei.hub.inspect; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
