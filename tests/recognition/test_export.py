"""An exported ONNX file gives the model's own numbers for any length and in padded batches, and says what they mean."""

import importlib.util
import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from onsei.audio import io
from onsei.hub import tracing
from onsei.systems.recognition.config import Export, Features, Model
from onsei.systems.recognition.data.front import FrontEnd
from onsei.systems.recognition.exchange import exporting
from onsei.systems.recognition.exchange.graph import Network, Recognizer
from onsei.systems.recognition.inference import Transcriber
from onsei.text.alphabet import Alphabet
from tests.commands import assert_refused
from tests.recognition.corpus import command, rows
from tests.recognition.upstream import network

LENGTHS = (0.21, 0.5, 1.0, 1.73, 2.6)


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    exporting.export(Export(model=str(model), output=path))
    return path


def test_from_sound_to_the_model_s_text(exported, corpus, runner):
    session = onnxruntime.InferenceSession(str(exported))
    about = session.get_modelmeta().custom_metadata_map
    labels = json.loads(about["labels"])
    sounds = [io.load(row.audio, int(about["sample_rate"]))[0] for row in rows(corpus, 6)]
    lengths = np.array([len(sound) for sound in sounds])
    padded = np.stack([np.pad(sound, (0, lengths.max() - len(sound)), constant_values=0.5) for sound in sounds])
    scores, frames = session.run(None, {"samples": padded, "lengths": lengths})
    for row, want, sound in zip(range(6), runner.log_probs(sounds), sounds, strict=True):
        np.testing.assert_allclose(scores[row, : frames[row]], want, atol=1e-4)
        best = scores[row, : frames[row]].argmax(-1)
        text = "".join(labels[k] for k, before in zip(best, [0, *best], strict=False) if k and k != before)
        assert " ".join(text.split()) == runner.hear([sound])[0].text
    assert float(about["frame_seconds"]) == 2 * runner.features.window_stride
    assert (about["blank"], about["input"], about["case"]) == ("0", "sound", runner.alphabet.case)


def test_any_length_alone_and_in_a_batch(exported, runner):
    assert exporting.difference(runner, exported, "sound", LENGTHS) <= 1e-4


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        ("features", {"rnn_type": "lstm", "bidirectional": False, "lookahead_context": 5}),
        ("features", {"rnn_type": "rnn", "conv_pool": 3, "dropout": 0.5}),
        ("sound", {"rnn_type": "gru", "conv_spans": (9, 7)}),
        ("features", {"rnn_type": "conv", "time_stride": 4}),
    ],
)
def test_networks_of_every_shape(kind, shape, tmp_path):
    features = Features(kind="mel", n_mels=40, bins=40, window_size=0.025, sample_rate=8000)
    net = network(bins=40, **shape)
    cpu = torch.device("cpu")
    runner = Transcriber(net, Model(), features, Alphabet(), cpu, torch.float32)
    graph = Network(net) if kind == "features" else Recognizer(net, FrontEnd(features))
    example, names = exporting._example(runner, kind, [1.3, 0.9])
    exporting.write(graph.eval(), example, names, tmp_path / "a.onnx")
    exporting.describe(tmp_path / "a.onnx", runner, kind)
    assert exporting.difference(runner, tmp_path / "a.onnx", kind, LENGTHS) <= 1e-4
    if kind == "features":  # no weight is in the file twice
        weights = sum(4 * value.numel() for value in net.state_dict().values())
        assert (tmp_path / "a.onnx").stat().st_size < weights + 50_000


def test_the_graph_gives_the_log_probabilities_of_the_network(runner):
    torch.manual_seed(0)
    features, lengths = torch.randn(3, runner.features.bins, 90), torch.tensor([90, 51, 7])
    with torch.no_grad():
        scores, frames = Network(runner.model)(features, lengths)
    for row, want in enumerate(runner.scores(features, lengths)):
        torch.testing.assert_close(scores[row, : frames[row]], want, atol=1e-5, rtol=1e-5)


def test_log_probabilities_are_those_of_each_sound_alone(runner, corpus):
    sounds = [io.load(row.audio, runner.features.sample_rate)[0] for row in rows(corpus, 3)]
    together = runner.log_probs(sounds)
    for sound, scores in zip(sounds, together, strict=True):
        np.testing.assert_allclose(np.exp(scores).sum(-1), 1.0, atol=1e-5)
        np.testing.assert_allclose(scores, runner.log_probs([sound])[0], atol=1e-4)
    assert runner.log_probs([]) == []


def test_a_file_is_not_overwritten_and_a_missing_library_is_named(model, exported, tmp_path, capsys, monkeypatch):
    before = exported.read_bytes()
    assert_refused(command(capsys, "export", model, "--output", exported), "--force")
    assert exported.read_bytes() == before
    assert onnx.load(str(exported)).graph.name
    find = importlib.util.find_spec
    monkeypatch.setattr(tracing, "find_spec", lambda name: None if name == "onnx" else find(name))
    assert_refused(command(capsys, "export", model, "--output", tmp_path / "b.onnx"), "onsei[onnx]")
    assert not (tmp_path / "b.onnx").exists()


def test_without_the_runtime_the_file_is_written_and_not_compared(model, tmp_path, capsys, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(tracing, "find_spec", lambda name: None if name == "onnxruntime" else find(name))
    answer = command(capsys, "export", model, "--output", tmp_path / "c.onnx")
    assert answer.status == 0
    assert "not compared" in answer.out
    assert onnx.load(str(tmp_path / "c.onnx")).graph.name
