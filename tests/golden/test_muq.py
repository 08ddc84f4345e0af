"""Our MuQ gives the numbers of the original network, whose state dict is loaded unchanged, from its folder."""

import json
from pathlib import Path

import pytest
import torch

from onsei.hub import weights
from onsei.units import muq

GOLDEN = Path(__file__).parents[3] / "shared" / "golden" / "muq_tiny.safetensors"
pytestmark = pytest.mark.skipif(not GOLDEN.exists(), reason="golden tensors are not on this machine")


@pytest.fixture(scope="module")
def golden():
    return weights.load(GOLDEN), json.loads(GOLDEN.with_suffix(".json").read_text())


@pytest.fixture(scope="module", params=["model.safetensors", "pytorch_model.bin"])
def network(request, golden, tmp_path_factory):
    tensors, notes = golden
    folder = tmp_path_factory.mktemp("muq")
    config = {}
    for name, value in notes.items():
        *groups, last = name.split("/")[1:] or [""]
        inner = config
        for group in groups:
            inner = inner.setdefault(group, {})
        inner[last] = value
    (folder / "config.json").write_text(json.dumps(config))
    state = {k.removeprefix("state_dict/"): v for k, v in tensors.items() if k.startswith("state_dict/")}
    if request.param.endswith(".bin"):
        torch.save(state, folder / request.param)
    else:
        weights.save(folder / request.param, state)
    return muq.load(folder, "cpu")


def test_the_mel(golden, network):
    decibels = network.mel(golden[0]["wav"]) * network.mel.deviation + network.mel.mean
    assert (decibels - golden[0]["mel"]).abs().max() <= 1e-4


def test_hidden_states(golden, network):
    tensors, _ = golden
    found = network.hidden(tensors["wav"])
    assert len(found) == 3
    for number, ours in enumerate(found):
        assert (ours - tensors[f"hidden_states/{number}"]).abs().max() <= 1e-4
    assert (network(tensors["wav"]) - tensors["last"]).abs().max() <= 1e-4
