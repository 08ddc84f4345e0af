"""The Transcriber: number formats, batches, models that do not fit."""

import json
import shutil

import pytest

import onsei
from onsei.errors import OnseiError
from onsei.systems.recognition.config import Request
from tests.recognition.corpus import assert_refused, command, rows


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_gives_the_same_text(dtype, model, runner, corpus):
    half = onsei.load(model, device="cpu", dtype=dtype)
    requests = [Request(row.audio) for row in rows(corpus, 6, "val")]
    texts = [runner(request).text for request in requests]
    assert any(texts)
    assert [half(request).text for request in requests] == texts


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
