"""Our DeepSpeech2 gives the numbers of the original network, whose state dict it loads unchanged."""

import json
from pathlib import Path

import pytest
import torch

from onsei.audio.features import LogSpectrogram
from onsei.hub import weights
from onsei.systems.recognition.config import Model
from onsei.systems.recognition.model import DeepSpeech2

GOLDEN = Path(__file__).parents[3] / "shared" / "golden" / "deepspeech2_tiny.safetensors"
pytestmark = pytest.mark.skipif(not GOLDEN.exists(), reason="golden tensors are not on this machine")


@pytest.fixture(scope="module")
def golden():
    return weights.load(GOLDEN), json.loads(GOLDEN.with_suffix(".json").read_text())


@pytest.fixture(params=["bilstm", "bigru", "unilstm"])
def build(request, golden):
    return lambda padded: network(*golden, request.param, padded)


def network(tensors, notes, name, padded):
    options = Model(
        rnn_type=notes[f"{name}/config/rnn_type"],
        hidden_size=notes[f"{name}/config/hidden_size"],
        hidden_layers=notes[f"{name}/config/hidden_layers"],
        bidirectional=notes[f"{name}/config/lookahead_context"] is None,
        lookahead_context=notes[f"{name}/config/lookahead_context"] or 20,
        count_padding=padded,
    )
    model = DeepSpeech2(options, bins=161, labels=len(notes["labels"]))
    prefix = f"{name}/state_dict/"
    model.load_state_dict({k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)})
    return model.eval(), {k: tensors[f"{name}/{k}"] for k in ("input", "lengths", "output", "output_lengths")}


def test_output_equals_the_original(build):
    model, want = build(padded=True)  # the stored input has noise as padding
    with torch.no_grad():
        logits, lengths = model(want["input"][:, 0], want["lengths"].long())
    assert lengths.tolist() == want["output_lengths"].tolist()
    for row, length in enumerate(lengths.tolist()):
        torch.testing.assert_close(logits[row, :length].softmax(-1), want["output"][row, :length], atol=1e-5, rtol=0)


def test_an_utterance_alone_gives_what_it_gives_in_the_batch(build):
    model, want = build(padded=False)
    length = int(want["lengths"][1])
    with torch.no_grad():
        together, frames = model(want["input"][:, 0], want["lengths"].long())
        alone, _ = model(want["input"][1:, 0, :, :length], torch.tensor([length]))
    torch.testing.assert_close(alone[0], together[1, : frames[1]], atol=1e-5, rtol=1e-5)


def test_the_spectrogram_equals_the_original(golden):
    tensors, _ = golden
    ours = LogSpectrogram(16000)(tensors["spectrogram/wave"])
    torch.testing.assert_close(ours, tensors["spectrogram/normalized_log1p"], atol=1e-4, rtol=0)
