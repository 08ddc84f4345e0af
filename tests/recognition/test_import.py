"""Checkpoints of both generations of deepspeech.pytorch become models that give the numbers of their networks."""

import json
import os

import pytest
import torch

import onsei
from onsei.audio import io
from onsei.systems.recognition.config import Model
from tests.commands import assert_refused
from tests.hub.hostile import MARK, Calls
from tests.recognition.corpus import command, tones
from tests.recognition.upstream import lightning, network, package


def brought(capsys, checkpoint, folder, *words):
    answer = command(capsys, "import", checkpoint, "--output-dir", folder, *words)
    assert answer.status == 0, answer
    return onsei.load(folder, device="cpu"), answer.out


def outputs(model, seed=1):
    torch.manual_seed(seed)
    with torch.no_grad():
        return model(torch.randn(2, 161, 70), torch.tensor([70, 41]))[0]


def assert_same_network(runner, model):
    torch.testing.assert_close(outputs(runner.model), outputs(model), atol=0, rtol=0)


SHAPES = [
    {"rnn_type": "lstm"}, {"rnn_type": "gru"}, {"rnn_type": "rnn"},
    {"rnn_type": "lstm", "bidirectional": False, "lookahead_context": 7},
]  # fmt: skip


@pytest.mark.parametrize(("shape", "archive"), list(zip(SHAPES, [True, False, False, True], strict=True)))
def test_a_package_of_2020(shape, archive, tmp_path, capsys):
    model = network(**shape)
    torch.save(package(model), tmp_path / "a.pth.tar", _use_new_zipfile_serialization=archive)
    runner, out = brought(capsys, tmp_path / "a.pth.tar", tmp_path / "model")
    assert_same_network(runner, model)
    assert runner.options == model_options(shape)
    assert runner.alphabet.labels[:3] == ("_", "'", "A")
    assert (runner.alphabet.case, runner.features.window) == ("upper", "hamming")
    assert f"{shape['rnn_type']} 2 x 6" in out
    assert "2020 (package)" in out
    assert "left behind: optim_dict" in out


def model_options(shape):
    return Model(**{"hidden_size": 6, "hidden_layers": 2, "count_padding": True, **shape})


@pytest.mark.parametrize(("shape", "omegaconf"), list(zip(SHAPES, [True, True, False, True], strict=True)))
def test_a_checkpoint_of_2022(shape, omegaconf, tmp_path, capsys):
    model = network(**shape)
    path = lightning(tmp_path / "a.ckpt", model, omegaconf=omegaconf)
    runner, out = brought(capsys, path, tmp_path / "model")
    assert_same_network(runner, model)
    assert runner.options == model_options(shape)
    assert runner.features.window == "hann"
    assert "2022 (Lightning)" in out
    assert "best wer 10.25" in out
    history = json.loads((tmp_path / "model" / "onsei.json").read_text(encoding="utf-8"))["history"]
    assert (history["epochs"], history["steps"]) == (14, 62000)


def test_the_history_holds_the_epochs_that_were_reached(tmp_path, capsys):
    torch.save(package(network()), tmp_path / "a.pth")
    _, out = brought(capsys, tmp_path / "a.pth", tmp_path / "model")
    history = json.loads((tmp_path / "model" / "onsei.json").read_text(encoding="utf-8"))["history"]
    assert history["epochs"] == 3
    assert history["metrics"] == {"train/loss": 4.5, "val/wer": 50.5, "val/cer_no_spaces": 20.25}
    assert history["imported"]["wer_results"] == [90.0, 70.0, 50.5]
    assert history["imported"]["iteration"] == 120
    assert "val/wer 50.5" in out


@pytest.mark.parametrize("kind", ["LSTM", None])
def test_the_kind_of_layer_may_be_text_or_missing(kind, tmp_path, capsys):
    model = network(rnn_type="lstm")
    content = package(model, rnn_type=kind)
    if kind is None:
        del content["rnn_type"]
    torch.save(content, tmp_path / "a.pth")
    assert_same_network(brought(capsys, tmp_path / "a.pth", tmp_path / "model")[0], model)


@pytest.mark.parametrize("prefix", ["module.", "model.module."])
def test_prefixes_of_wrappers_are_taken_off(prefix, tmp_path, capsys):
    model = network()
    torch.save(package(model, prefix=prefix), tmp_path / "a.pth")
    assert_same_network(brought(capsys, tmp_path / "a.pth", tmp_path / "model")[0], model)


def test_a_bare_state_dict_of_halves_needs_its_labels(tmp_path, capsys):
    model = network().half().float()
    state = {name: v.half() if v.is_floating_point() else v for name, v in model.state_dict().items()}
    state = {name: v for name, v in state.items() if not name.endswith("num_batches_tracked")}
    torch.save(state, tmp_path / "a.pth")
    assert_refused(command(capsys, "import", tmp_path / "a.pth", "--output-dir", tmp_path / "m"), "--labels-path")
    (tmp_path / "labels.json").write_text(json.dumps(["_", "'", *"ABCDEFGHIJKLMNOPQRSTUVWXYZ", " "]), encoding="utf-8")
    runner, out = brought(capsys, tmp_path / "a.pth", tmp_path / "model", "--labels-path", tmp_path / "labels.json")
    assert_same_network(runner, model)
    assert "assumed 16000 Hz" in out


def test_a_blank_that_is_not_first_becomes_so(tmp_path, capsys):
    model = network(labels=4)
    torch.save(package(model, labels=["a", " ", "_", "b"]), tmp_path / "a.pth")
    runner, _ = brought(capsys, tmp_path / "a.pth", tmp_path / "model")
    assert runner.alphabet.labels == ("_", "a", " ", "b")
    assert runner.alphabet.case == "lower"
    assert torch.equal(outputs(runner.model), outputs(model)[..., [2, 0, 1, 3]])


def test_a_model_is_not_overwritten_unless_forced(tmp_path, capsys):
    torch.save(package(network(0)), tmp_path / "a.pth")
    torch.save(package(network(1)), tmp_path / "b.pth")
    brought(capsys, tmp_path / "a.pth", tmp_path / "model")
    assert_refused(command(capsys, "import", tmp_path / "b.pth", "--output-dir", tmp_path / "model"), "--force")
    assert_same_network(brought(capsys, tmp_path / "b.pth", tmp_path / "model", "--force")[0], network(1))


def test_it_transcribes_and_evaluates(tmp_path, capsys):
    torch.save(package(network()), tmp_path / "a.pth")
    brought(capsys, tmp_path / "a.pth", tmp_path / "model")
    io.save(tmp_path / "a.wav", tones(), 8000)
    (tmp_path / "t.jsonl").write_text('{"audio": "a.wav", "text": "YES"}\n', encoding="utf-8")
    assert command(capsys, "transcribe", tmp_path / "model", tmp_path / "a.wav").status == 0
    answer = command(
        capsys, "evaluate", tmp_path / "model", "--test-manifest", tmp_path / "t.jsonl", "--num-workers", 0
    )
    assert answer.status == 0


def without(state, *names):
    return {name: value for name, value in state.items() if name not in names}


def renamed(content, change):
    return {**content, "state_dict": change(content["state_dict"])}


BIAS = "conv.seq_module.1.bias"
BAD = {
    "missing": (lambda c: renamed(c, lambda s: without(s, "rnns.1.rnn.bias_ih_l0")), "missing: rnns.1.rnn.bias_ih_l0"),
    "unexpected": (lambda c: renamed(c, lambda s: {**s, "other.weight": torch.ones(2)}), "unexpected: other.weight"),
    "shape": (lambda c: renamed(c, lambda s: {**s, BIAS: torch.ones(3)}), "seq_module.1.bias: (3,)"),
    "no tensor": (lambda c: renamed(c, lambda s: {**s, BIAS: "x"}), "seq_module.1.bias"),
    "nan": (lambda c: renamed(c, lambda s: {**s, BIAS: torch.full((32,), torch.nan)}), "not finite"),
    "rate": (lambda c: {**c, "audio_conf": {**c["audio_conf"], "sample_rate": 8000}}, "network of 81 bins"),
    "window": (lambda c: {**c, "audio_conf": {**c["audio_conf"], "window": "kaiser"}}, "window"),
    "labels": (lambda c: {**c, "labels": "_AB"}, "3 labels, the network has 29"),
    "no blank": (lambda c: {**c, "labels": "".join(map(chr, range(65, 94)))}, "no blank"),
    "kind": (lambda c: {**c, "rnn_type": "gru", "hidden_size": 7}, "rnn_type: says 'gru', the weights are 'lstm'"),
    "another": (lambda c: {"state_dict": {"encoder.weight": torch.ones(2)}}, "no network of deepspeech.pytorch"),
    "list": (lambda c: [1, 2], "no state_dict"),
    "empty": (lambda c: {}, "no network"),
    "flat": (lambda c: renamed(c, lambda s: {**s, "conv.seq_module.0.weight": torch.ones(3)}), "of another kind"),
    "hostile": (lambda c: {**c, "meta": Calls(os.system, f"touch {MARK}")}, "refused"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_what_does_not_fit_is_named(kind, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    change, words = BAD[kind]
    torch.save(change(package(network(rnn_type="lstm"))), tmp_path / "a.pth")
    assert_refused(command(capsys, "import", tmp_path / "a.pth", "--output-dir", tmp_path / "model"), words)
    assert not (tmp_path / "model").exists()
    assert not (tmp_path / MARK).exists()


def test_labels_cannot_steer_the_terminal(tmp_path, capsys):
    content = package(network(labels=3), labels=["_", "a", "b"])
    content["audio_conf"]["note"] = content["version"] = "\x1b[31m"
    torch.save(content, tmp_path / "a\x1b[31m.pth")
    _, out = brought(capsys, tmp_path / "a\x1b[31m.pth", tmp_path / "model")
    assert "\x1b" not in out
