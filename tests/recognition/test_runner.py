"""The Transcriber: number formats, batches, models that do not fit."""

import json
import shutil
from dataclasses import replace

import pytest
import torch

import onsei
from onsei.errors import OnseiError
from onsei.systems.recognition.config import Features, Model, Request
from onsei.systems.recognition.inference import Transcriber
from onsei.systems.recognition.model import DeepSpeech2
from onsei.text.alphabet import Alphabet
from tests.commands import assert_refused
from tests.recognition.corpus import command, rows, train, write


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_gives_the_same_text(dtype, model, runner, corpus):
    half = onsei.load(model, device="cpu", dtype=dtype)
    requests = [Request(row.audio) for row in rows(corpus, 6, "val")]
    texts = [runner(request).text for request in requests]
    assert any(texts)
    assert [half(request).text for request in requests] == texts


@pytest.mark.parametrize("kind", ["lstm", "rnn", "ahead"])
def test_half_precision_hears_like_full_on_a_cpu_whatever_the_layers(kind):
    """In 16 bits, sums over many frames could overflow: the outputs must be near, for every kind of layer."""
    torch.manual_seed(0)
    options = Model(hidden_size=16, hidden_layers=2, conv_channels=4, rnn_type="lstm" if kind == "ahead" else kind)
    options = replace(options, bidirectional=kind != "ahead")
    features, alphabet = Features(sample_rate=8000), Alphabet(tuple("_AEIO "), "keep")
    runners = [
        Transcriber(DeepSpeech2(options, 81, 6), options, features, alphabet, torch.device("cpu"), dtype)
        for dtype in (torch.float32, torch.float16)
    ]
    runners[1].model.load_state_dict(runners[0].model.state_dict())
    seen = torch.randn(2, 81, 90)
    with torch.inference_mode():
        full, half = (r.model(seen.to(r.dtype), torch.tensor([90, 61]))[0] for r in runners)
    assert half.dtype == torch.float16
    torch.testing.assert_close(half.float(), full, atol=0.02, rtol=0.02)


def test_the_look_ahead_of_a_model_is_saved_with_it(capsys, corpus, recipe, tmp_path):
    words = ("--no-bidirectional", "--lookahead-context", "7")
    assert train(capsys, recipe, write(tmp_path, rows(corpus, 2)), tmp_path / "run", *words).status == 0
    model = onsei.load(tmp_path / "run", device="cpu")
    assert model.options.lookahead_context == model.model.lookahead[0].context == 7


def test_a_batch_of_mixed_lengths_is_each_alone(runner, corpus):
    requests = [Request(row.audio) for row in rows(corpus, 20, "val")]
    requests.insert(3, Request(requests[0].audio, 0.1, 0.3))
    together = runner.batch(requests)
    for request, heard in zip(requests, together, strict=True):
        alone = runner(request)
        assert (heard.text, heard.duration, len(heard.characters)) == (
            alone.text,
            alone.duration,
            len(alone.characters),
        )
        times = [(c.start, c.end) for c in heard.characters]
        assert times == [(c.start, c.end) for c in alone.characters]
    assert runner.batch([]) == []


def test_times_are_plain_numbers(runner, corpus):
    words = runner(Request(rows(corpus, 1, "val")[0].audio)).words
    assert words
    assert {type(value) for word in words for value in (word.start, word.end, word.confidence)} == {float}


def changed(model, folder, change):
    """A copy of the model with other facts."""
    folder.mkdir()
    for name in ("onsei.json", "model.safetensors"):
        shutil.copy(model / name, folder)
    facts = json.loads((folder / "onsei.json").read_text(encoding="utf-8"))
    change(facts)
    (folder / "onsei.json").write_text(json.dumps(facts), encoding="utf-8")
    return folder


CHANGES = {
    "gardening": lambda facts: facts.update(system="gardening"),
    "does not fit": lambda facts: facts["config"]["model"].update(hidden_size=7),
    "fc.0": lambda facts: facts["labels"].append("Z"),
    "config lacks case": lambda facts: facts["config"].pop("case"),
    "hiden_size": lambda facts: facts["config"]["model"].update(hiden_size=7),
    "labels": lambda facts: facts.update(labels=["A", "B"]),
}


@pytest.mark.parametrize("message", CHANGES)
def test_a_model_that_does_not_fit_is_refused_by_name(message, capsys, model, corpus, tmp_path):
    folder = changed(model, tmp_path / "other", CHANGES[message])
    with pytest.raises(OnseiError):
        onsei.load(folder)
    assert_refused(command(capsys, "transcribe", folder, rows(corpus, 1)[0].audio, "--device", "cpu"), message)
