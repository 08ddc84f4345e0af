"""Models by Hub name, against a server on this machine: what is fetched, and what each refusal says."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from functools import partial

import pytest
import torch
from huggingface_hub import constants

from onsei.errors import ModelError
from onsei.hub import remote, store
from onsei.units import ssl
from tests.hub.hub_server import serving


@pytest.fixture
def hub(tmp_path, monkeypatch):
    folder = store.save(
        tmp_path / "m", system="recognition", stage="train", config={}, weights={"a": torch.ones(2)},
        files={"config.json": "{}"},
    )  # fmt: skip
    files = {p.name: p.read_bytes() for p in folder.iterdir()}
    files |= dict.fromkeys(("model.bin", "optimizer.pt", "evil.pkl", "code.py", "checkpoints/s/a.safetensors"), b"x")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    for name in remote.TOKEN_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    with serving(files) as server:
        yield server


def test_a_model_is_fetched_without_pickles_code_and_checkpoints(hub):
    folder = remote.fetch("user/model", endpoint=hub.url)
    assert {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()} == {
        "onsei.json", "model.safetensors", "README.md", "config.json",
    }  # fmt: skip
    assert torch.equal(store.open(folder).weights()["a"], torch.ones(2))
    assert not any(path.endswith((".bin", ".pt", ".pkl", ".py")) for path in hub.asked)


@pytest.mark.parametrize("variable", remote.TOKEN_VARIABLES)
def test_each_token_variable_is_sent(hub, monkeypatch, variable):
    monkeypatch.setenv(variable, " secret\n")
    remote.fetch("user/model", endpoint=hub.url)
    assert "Bearer secret" in hub.tokens


def test_a_given_token_goes_first(hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "other")
    remote.fetch("user/model", endpoint=hub.url, token="given")
    assert hub.tokens == {"Bearer given"}


@pytest.mark.parametrize(
    ("repo", "words"),
    [
        ("user/private", "refuses access (401)"),
        ("user/gated", "refuses access (403)"),
        ("user/forbidden", "refuses access (403)"),
        ("user/gone", "none that you may see (404)"),
    ],
)
def test_refusals_name_model_token_variables_and_the_local_way(hub, repo, words):
    with pytest.raises(ModelError) as caught:
        remote.fetch(repo, endpoint=hub.url)
    assert repo in caught.value.message
    assert words in caught.value.message
    assert all(name in caught.value.mend for name in remote.TOKEN_VARIABLES)
    assert "local folder" in caught.value.mend


def test_another_status_is_told(hub):
    with pytest.raises(ModelError, match=r"user/broken.* 501"):
        remote.fetch("user/broken", endpoint=hub.url)


def test_an_unknown_revision_is_told(hub):
    with pytest.raises(ModelError, match="no such revision") as caught:
        remote.fetch("user/model", revision="nowhere", endpoint=hub.url)
    assert "'nowhere'" in caught.value.message


def test_offline_mode_uses_the_cache_and_else_names_its_variable(hub, monkeypatch):
    fetched = remote.fetch("user/model", endpoint=hub.url)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert remote.fetch("user/model", endpoint=hub.url) == fetched
    with pytest.raises(ModelError, match="HF_HUB_OFFLINE") as caught:
        remote.fetch("user/other", endpoint=hub.url)
    assert "local folder" in caught.value.mend


def test_no_network_is_told(hub):
    with socket.socket() as unused:  # bound, not listening: refuses at once
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(ModelError, match="could not be fetched") as caught:
            remote.fetch("user/other", endpoint=f"http://127.0.0.1:{unused.getsockname()[1]}")
    assert "network" in caught.value.mend
    assert "local folder" in caught.value.mend


@pytest.mark.parametrize(
    "name", ["", "name", "a/b/c", "../x", "user/..", "user/a b", "user/x..y", "user/x--y", "ユ/モ"]
)
def test_names_that_are_none_are_refused_without_asking(hub, name):
    with pytest.raises(ModelError, match="not a Hub repository"):
        remote.fetch(name, endpoint=hub.url)
    assert hub.asked == []


def test_the_environment_alone_is_enough(hub, tmp_path):
    code = "from onsei.hub import store; print(store.open('user/model').system); store.open('user/private')"
    environment = os.environ | {"HF_ENDPOINT": hub.url, "HF_HOME": str(tmp_path / "home"), "HF_HUB_DISABLE_XET": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment | {"HF_HUB_OFFLINE": "0"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.stdout.strip() == "recognition"
    assert "ModelError: model 'user/private'" in done.stderr


def test_an_encoder_is_fetched_by_name_and_a_pickle_only_where_there_is_nothing_else(hub, monkeypatch):
    monkeypatch.setattr(remote, "fetch", partial(remote.fetch, endpoint=hub.url))
    hub.files = {"config.json": b"{}", "model.safetensors": b"x", "pytorch_model.bin": b"y"}
    assert not (ssl.locate("user/model") / "pytorch_model.bin").exists()


def test_a_pickled_encoder_is_fetched_where_it_is_all_there_is(hub, monkeypatch):
    monkeypatch.setattr(remote, "fetch", partial(remote.fetch, endpoint=hub.url))
    hub.files = {"config.json": b"{}", "pytorch_model.bin": b"y", "run.py": b"z"}
    folder = ssl.locate("user/model")
    assert (folder / "pytorch_model.bin").read_bytes() == b"y"
    assert not (folder / "run.py").exists()
