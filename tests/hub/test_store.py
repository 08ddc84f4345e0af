"""The model folder: saved whole, opened with every fault named."""

from __future__ import annotations

import errno
import json
import math
from pathlib import Path

import pytest
import torch
from torch import nn

import onsei
from onsei.errors import ModelError, OnseiError
from onsei.hub import store, weights


@pytest.fixture
def network() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))


def saved(folder: Path, network: nn.Module, **changes) -> Path:
    fields = {
        "system": "recognition",
        "stage": "train",
        "config": {"model": {"hidden": 4, "window": "hann"}, "lr": 3e-4},
        "labels": ["_", "'", "あ", " "],
        "history": {"metrics": {"val/wer": 12.5}, "epochs": 3, "command": "onsei recognition train tiny"},
    }
    return store.save(folder, weights=network.state_dict(), **fields | changes)


def edited(folder: Path, **changes) -> None:
    file = folder / "onsei.json"
    file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8")) | changes), encoding="utf-8")


def test_what_is_saved_is_opened_again(tmp_path, network):
    folder = saved(tmp_path / "モデル 1", network)
    opened = store.open(str(folder))
    assert (opened.system, opened.stage, opened.path) == ("recognition", "train", folder)
    assert opened.config == {"model": {"hidden": 4, "window": "hann"}, "lr": 3e-4}
    assert opened.labels == ("_", "'", "あ", " ")
    assert opened.history["metrics"] == {"val/wer": 12.5}
    assert opened.versions["onsei"] == onsei.__version__
    assert opened.versions.keys() == {"onsei", "torch", "python"}
    loaded = opened.weights()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in network.state_dict().items())
    assert {p.name for p in folder.iterdir()} == {"onsei.json", "model.safetensors", "README.md"}


def test_fill_gives_a_network_its_weights(tmp_path, network):
    opened = store.open(saved(tmp_path / "m", network))
    other = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    opened.fill(other)
    assert torch.equal(other[0].weight, network[0].weight)


def test_fill_refuses_a_network_of_another_shape(tmp_path, network):
    opened = store.open(saved(tmp_path / "m", network))
    with pytest.raises(ModelError, match="does not fit the network"):
        opened.fill(nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5)))


def test_saving_into_a_run_folder_keeps_the_run(tmp_path, network):
    (tmp_path / "checkpoints" / "step-1").mkdir(parents=True)
    (tmp_path / "metrics.jsonl").write_text("{}\n")
    (tmp_path / "config.yaml").write_text("seed: 1\n")
    saved(tmp_path, network)
    saved(tmp_path, network, stage="second")
    assert store.open(tmp_path).stage == "second"
    assert (tmp_path / "metrics.jsonl").read_text() == "{}\n"
    assert (tmp_path / "checkpoints" / "step-1").is_dir()
    assert not list(tmp_path.glob(".*"))


def test_further_files_and_a_card_of_ones_own_are_written(tmp_path, network):
    saved(tmp_path, network, card_text="# mine\n", files={"config.json": "{}", "tokenizer/vocab.txt": b"a\n"})
    assert (tmp_path / "README.md").read_text() == "# mine\n"
    assert (tmp_path / "tokenizer" / "vocab.txt").read_bytes() == b"a\n"


@pytest.mark.parametrize(
    "name",
    ["../x", "/etc/x", "a/../../x", "..\\x", "C:x", "", "onsei.json", "model.safetensors", "checkpoints/a", "a\0b"],
)
def test_further_files_stay_inside_and_off_the_models_own(tmp_path, network, name):
    with pytest.raises(ModelError, match="further file"):
        saved(tmp_path / "m", network, files={name: "x"})
    assert not (tmp_path / "m").exists()


def test_numbers_that_json_lacks_become_null(tmp_path, network):
    saved(tmp_path, network, history={"metrics": {"val/wer": math.nan, "curve": (1.0, math.inf)}})
    text = (tmp_path / "onsei.json").read_text(encoding="utf-8")
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert store.open(tmp_path).history == {"metrics": {"val/wer": None, "curve": [1.0, None]}}


def test_the_same_model_is_saved_as_the_same_bytes(tmp_path, network):
    one, two = saved(tmp_path / "a" / "m", network), saved(tmp_path / "b" / "m", network)
    assert all((one / p.name).read_bytes() == p.read_bytes() for p in two.iterdir())


@pytest.mark.parametrize("failing", ["weights", "json"])
def test_a_full_disk_leaves_the_old_model(tmp_path, network, monkeypatch, failing):
    saved(tmp_path, network)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}

    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(*((weights, "save") if failing == "weights" else (Path, "write_bytes")), full)
    with pytest.raises(OnseiError, match="disk is full"):
        saved(tmp_path, nn.Sequential(nn.Linear(1, 1)), stage="other")
    monkeypatch.undo()
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_a_model_of_another_system_is_named(tmp_path, network):
    saved(tmp_path, network, system="vocoder")
    assert store.open(tmp_path, system="vocoder").system == "vocoder"
    with pytest.raises(ModelError, match="expected a model of recognition, found one of vocoder"):
        store.open(tmp_path, system="recognition")


def test_missing_folder_and_file_are_named(tmp_path, network, monkeypatch):
    with pytest.raises(ModelError, match="no such model folder"):
        store.open(tmp_path / "gone")
    saved(tmp_path, network)
    with pytest.raises(ModelError, match="a file, where a model folder is expected"):
        store.open(tmp_path / "onsei.json")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    with pytest.raises(ModelError, match="no such model folder"):  # looks like a repository, but runs/ is here
        store.open("runs/typo")


@pytest.mark.parametrize(
    "name", ["", "a\0b", "x" * 5000, "../../../nowhere", "a/b/c", "user\\name", "~nobody/x/y", "-r/x"]
)
def test_hostile_names_are_refused_before_any_network(monkeypatch, tmp_path, name):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("onsei.hub.remote.fetch", lambda *a, **k: pytest.fail("asked the Hub"))
    with pytest.raises(ModelError):
        store.open(name)


def test_a_name_that_is_no_folder_is_asked_of_the_hub(monkeypatch, tmp_path, network):
    asked = []
    folder = saved(tmp_path / "m", network)
    monkeypatch.setattr("onsei.hub.remote.fetch", lambda name, **keys: asked.append((name, keys)) or folder)
    assert store.open("user/name", revision="v1", token="t").path == folder
    assert asked == [("user/name", {"revision": "v1", "token": "t"})]


def test_an_unfinished_run_says_so(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(ModelError, match="has not finished") as caught:
        store.open(tmp_path)
    assert "--continue-from" in caught.value.mend


def test_half_a_model_says_so(tmp_path, network):
    saved(tmp_path, network)
    (tmp_path / "onsei.json").unlink()
    with pytest.raises(ModelError, match="by half"):
        store.open(tmp_path)


def test_a_pickle_beside_nothing_else_is_never_loaded(tmp_path):
    torch.save({"weight": torch.zeros(1)}, tmp_path / "model.pth")
    with pytest.raises(ModelError, match=r"model\.pth is a checkpoint of another toolkit") as caught:
        store.open(tmp_path)
    assert "import" in caught.value.mend


def test_an_empty_folder_is_no_model(tmp_path):
    with pytest.raises(ModelError, match="not a model folder"):
        store.open(tmp_path)


def test_missing_and_truncated_weights_are_named(tmp_path, network):
    saved(tmp_path, network)
    file = tmp_path / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-5])
    with pytest.raises(ModelError, match="not a whole safetensors file"):
        store.open(tmp_path)
    file.unlink()
    with pytest.raises(ModelError, match=r"model\.safetensors is missing"):
        store.open(tmp_path)


def test_a_newer_format_names_its_writer(tmp_path, network):
    saved(tmp_path, network)
    edited(tmp_path, format=2, versions={"onsei": "9.9"}, config="unreadable")
    with pytest.raises(ModelError, match=r"format 2, written by onsei 9\.9") as caught:
        store.open(tmp_path)
    assert "upgrade" in caught.value.mend


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "{}", '{"format": "1"}', "[" * 100_000, "\udcff"])
def test_text_that_is_no_entry_is_refused(tmp_path, network, text):
    saved(tmp_path, network)
    (tmp_path / "onsei.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ModelError, match=r"onsei\.json"):
        store.open(tmp_path)


def test_all_ill_typed_fields_are_named_at_once(tmp_path, network):
    saved(tmp_path, network)
    edited(tmp_path, system=None, labels={"a": 1}, config=[], versions={"onsei": 1})
    with pytest.raises(ModelError) as caught:
        store.open(tmp_path)
    assert all(f"{name}: expected" in caught.value.message for name in ("system", "labels", "config", "versions"))
    edited(tmp_path, system="x", config={}, versions={}, labels=["a", 1])
    with pytest.raises(ModelError, match="labels: expected text"):
        store.open(tmp_path)


def test_an_entry_of_absurd_size_is_not_read(tmp_path, network, monkeypatch):
    saved(tmp_path, network)
    monkeypatch.setattr(store, "_LARGEST", 10)
    with pytest.raises(ModelError, match="larger than"):
        store.open(tmp_path)
