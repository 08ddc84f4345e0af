"""Models to the Hub, against a server on this machine: what is sent, what the card says, what each refusal says."""

from __future__ import annotations

import json
import socket
from functools import partial
from pathlib import Path

import pytest
import torch
from huggingface_hub import ModelCard, constants

from onsei import cli
from onsei.errors import ModelError
from onsei.hub import remote, store
from onsei.hub.about import About
from tests.hub.writable_hub import GOOD, READ_ONLY, writable

RESULTS = {
    "accuracy": 83.0, "accuracy_low": 74.45, "accuracy_high": 89.11, "macro_f1": 80.5, "macro_f1_low": 70.0,
    "macro_f1_high": 88.0, "clips": 100, "precision/dog": 90.0, "recall/dog": 81.8, "precision/<cat>|": 1.5,
    "recall/<cat>|": 2.5, "data": "test.jsonl",
}  # fmt: skip


@pytest.fixture
def model(tmp_path):
    folder = store.save(
        tmp_path / "run", system="classification", stage="train", config={}, weights={"a": torch.ones(2, 3)},
        labels=["dog", "<cat>|"], files={"config.json": "{}", "preprocessor_config.json": "{}"},
        history={
            "metrics": {"val/accuracy": 90.0}, "data": {"train": "train.jsonl"},
            "command": f"onsei train {Path.home()}/secret/train.jsonl",
        },
        about=About(
            task="audio-classification", base_models=("ntu-spml/distilhubert",), base_license="apache-2.0"
        ),
    )  # fmt: skip
    for name in ("model.bin", "evil.pkl", "training_args.bin", "code.py", "metrics.jsonl", ".hidden.json"):
        (folder / name).write_text("x")
    (folder / "config.yaml").write_text("secret: 1")
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "state.json").write_text("{}")
    (tmp_path / "numbers.json").write_text(json.dumps(RESULTS))
    return folder


@pytest.fixture
def hub(tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
    for name in remote.TOKEN_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_TOKEN", GOOD)
    with writable() as server:
        monkeypatch.setattr(remote, "publish", partial(remote.publish, endpoint=server.url))
        yield server


def push(model, *words):
    return cli.main(["push", str(model), *map(str, words)])


def test_data_only_is_sent_and_read_back(hub, model, capsys):
    assert push(model, "user/genres") == 0
    sent = hub.repositories["user/genres"]
    assert set(sent.files) == {
        "README.md", "onsei.json", "config.json", "preprocessor_config.json", "model.safetensors",
    }  # fmt: skip
    assert sent.private
    assert sent.messages == ["Model of onsei"]
    assert f"{hub.url}/user/genres: sent, 5 files" in capsys.readouterr().out
    opened = store.open(remote.fetch("user/genres", endpoint=hub.url))
    assert torch.equal(opened.weights()["a"], torch.ones(2, 3))
    assert opened.labels == ("dog", "<cat>|")
    assert (model / "README.md").read_bytes() != sent.files["README.md"]


def test_the_home_folder_stays_at_home(hub, model):
    assert push(model, "user/genres") == 0
    for content in hub.repositories["user/genres"].files.values():
        assert str(Path.home()).encode() + b"/" not in content
    assert b"~/secret/train.jsonl" in hub.repositories["user/genres"].files["onsei.json"]


def test_the_card_names_metrics_split_licenses_base_and_limits(hub, model, tmp_path):
    words = (
        "--results", tmp_path / "numbers.json", "--split", "fold 5", "--dataset", "GTZAN", "--dataset-tags",
        "marsyas/gtzan", "--data-license", "cc-by-nc-4.0", "--limits", "Music only.", "--model-name", "Genres",
    )  # fmt: skip
    assert push(model, "user/genres", *words) == 0
    card = ModelCard(hub.repositories["user/genres"].files["README.md"].decode())
    assert (card.data.base_model, card.data.datasets) == (["ntu-spml/distilhubert"], ["marsyas/gtzan"])
    assert (card.data.license, card.data.pipeline_tag) == ("cc-by-nc-4.0", "audio-classification")
    found = {r.metric_type: (r.metric_value, r.dataset_split, r.dataset_type) for r in card.data.eval_results}
    assert found == {"accuracy": (0.83, "fold 5", "marsyas/gtzan"), "f1": (0.805, "fold 5", "marsyas/gtzan")}
    for part in (
        "# Genres", "## Results on fold 5", "| accuracy | 83.00 (74.45 to 89.11) |", "| class | precision | recall |",
        "| dog | 90 | 81.8 |", "| &lt;cat>\\| | 1.5 | 2.5 |", "- Music only.", "license: apache-2.0.",
        "| name | GTZAN |", 'onsei.load("user/genres")', 'pipeline("audio-classification", model="user/genres")',
        "## Validation, in training",
    ):  # fmt: skip
        assert part in card.text


def test_a_license_is_unknown_where_that_of_the_data_is(hub, model):
    assert push(model, "user/genres") == 0
    assert ModelCard(hub.repositories["user/genres"].files["README.md"].decode()).data.license == "unknown"


def test_a_public_repository_and_a_card_of_ones_own(hub, model, tmp_path):
    (tmp_path / "own.md").write_text("mine", encoding="utf-8")
    assert push(model, "user/genres", "--public", "--card", tmp_path / "own.md", "--message", "first") == 0
    sent = hub.repositories["user/genres"]
    assert not sent.private
    assert sent.files["README.md"] == b"mine"
    assert sent.messages == ["first"]


def test_a_repository_that_is_there_is_only_written_to_by_force(hub, model, capsys):
    assert push(model, "user/genres") == 0
    assert push(model, "user/genres") == 2
    assert "is there already (409); nothing was sent" in capsys.readouterr().err
    assert len(hub.repositories["user/genres"].messages) == 1
    assert push(model, "user/genres", "--force") == 0
    assert len(hub.repositories["user/genres"].messages) == 2


@pytest.mark.parametrize(
    ("token", "repo", "words"),
    [
        ("hf_bad", "user/x", "refuses the token (401)"),
        (READ_ONLY, "user/x", "refuses (403)"),
        (GOOD, "other/x", "refuses (403)"),
        ("", "user/x", "there is none"),
    ],
)
def test_a_refused_token_is_told_with_its_mend(hub, model, monkeypatch, capsys, token, repo, words):
    monkeypatch.setenv("HF_TOKEN", token)
    assert push(model, repo) == 2
    told = capsys.readouterr().err
    assert words in told
    assert "HF_TOKEN" in told
    assert repo in told
    assert hub.repositories == {}


def test_no_network_offline_mode_and_a_broken_hub_are_told(hub, model, monkeypatch, capsys):
    hub.broken = "/commit/"
    assert push(model, "user/half") == 2
    assert "status 501" in (told := capsys.readouterr().err)
    assert "give --force" in told
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert push(model, "user/y") == 2
    assert "HF_HUB_OFFLINE" in capsys.readouterr().err
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with socket.socket() as unused:  # bound, not listening: refuses at once
        unused.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(ModelError, match="could not be made") as caught:
            remote.publish.func("user/z", {"a.json": b"{}"}, message="m", endpoint=address)
    assert "network" in caught.value.mend


def test_an_export_is_what_would_be_sent_and_needs_no_hub(model, tmp_path, capsys):
    assert push(model, "--export", tmp_path / "out") == 0
    assert {p.name for p in (tmp_path / "out").iterdir()} == {
        "README.md", "onsei.json", "config.json", "preprocessor_config.json", "model.safetensors",
    }  # fmt: skip
    assert store.open(tmp_path / "out").labels == ("dog", "<cat>|")
    assert push(model, "--export", tmp_path / "out") == 2
    assert "not empty" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "either USER/NAME or --export"),
        (["user/a", "--export", "x"], "either USER/NAME or --export"),
        (["no-user"], "not a Hub repository"),
        (["user/a", "--results", "none.json"], "none.json: cannot be read"),
        (["user/a", "--card", "none.md"], "none.md: cannot be read"),
    ],
)
def test_mistakes_are_told_before_anything_is_sent(hub, model, capsys, words, told):
    assert push(model, *words) == 2
    assert told in capsys.readouterr().err
    assert hub.repositories == {}


def test_what_is_no_model_is_refused(hub, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert push(tmp_path / "empty", "user/a") == 2
    assert push(tmp_path / "nothing", "user/a") == 2
    assert "no such model folder" in capsys.readouterr().err
    assert hub.repositories == {}
