"""Training of all parts from sounds: gradients go past the codebook, units stay what they are until it learns."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from onsei.data.manifest import Manifest
from onsei.errors import ConfigError, ModelError
from onsei.hub import store, weights
from onsei.metrics.units import collapsed
from onsei.systems.translation.acoustic.encode import encode
from onsei.systems.translation.acoustic.listener import Listener, restored_model
from onsei.systems.translation.config import Encode, Evaluate, Train
from onsei.systems.translation.config.ground import UnitAugment, UnitNetwork
from onsei.systems.translation.config.train import Decoder, Parallel, Tuning
from onsei.systems.translation.evaluation import evaluate
from onsei.systems.translation.ground.encoder import BLANK, FIRST, UnitEncoder
from onsei.systems.translation.stock import bart
from onsei.systems.translation.translator.endtoend import WholeTranslator, changed, runs, straight_through
from onsei.systems.translation.translator.inference import UnitTranslator
from onsei.systems.translation.translator.model import Translator
from onsei.systems.translation.translator.training import train
from tests.translation.conftest import QUIET, tones

UNITS = UnitNetwork(width=16, heads=2, layers=0, convolutions=1, dropout=0.0)
WORDS = "abcd"


@pytest.fixture(scope="module")
def parallel(corpus, layer_model, tmp_path_factory):
    """Tones whose text names them in order, encoded by the layer's units."""
    folder = tmp_path_factory.mktemp("parallel")
    for name, count, seed in (("train", 12, 3), ("test", 4, 4)):
        path = tones(folder, name, count, seed=seed)
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        for row in rows:
            row["text"] = " ".join(phone[0] if isinstance(phone, list) else phone["symbol"] for phone in row["phones"])
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        encode(Encode(model=layer_model, manifest=path, output_dir=folder / "encoded" / name))
    return folder / "encoded"


def options(parallel, layer_model, folder, **changes):
    tuning = Tuning(learning_rate=5e-3, acoustic_rate=1e-2, label_smoothing=0.0)
    chosen = Train(
        train_manifest=parallel / "train" / "units.jsonl",
        acoustic_model=layer_model,
        output_dir=folder,
        val_share=0.0,
        units=UNITS,
        decoder=Decoder(width=16, layers=1, heads=2, dropout=0.0, longest=12),
        data=Parallel(batch_size=6),
        optimization=tuning,
        training=replace(QUIET, epochs=2),
    )
    return replace(chosen, **changes)


def whole(layer_model, **changes):
    torch.manual_seed(0)
    acoustic = restored_model(store.open(layer_model, system="translation"))
    found = bart.made(Decoder(width=16, layers=1, heads=2, dropout=0.0), ["a b c d"] * 3)
    translator = Translator(UnitEncoder(acoustic.quantizer.codes, UNITS), found.model, 16)
    return WholeTranslator(acoustic, translator, **changes).eval(), found.tokens


def test_it_writes_what_units_alone_would_and_learns_past_the_codebook(layer_model, corpus):
    model, tokens = whole(layer_model)
    sounds = [row.audio for row in Manifest.open(corpus / "val.jsonl")][:3]
    clips = [Listener.load(layer_model, "cpu").units(path)[0] for path in sounds]
    from onsei.audio import io

    samples = [torch.from_numpy(io.load(path, 16000)[0]) for path in sounds]
    lengths = torch.tensor([len(one) for one in samples])
    padded = torch.nn.utils.rnn.pad_sequence(samples, batch_first=True)
    labels = tokens.encode(["a b c", "d c", "b"], 12)
    scores, _ = model(padded, lengths, labels)
    units = [torch.from_numpy(collapsed(clip)[0]) + FIRST for clip in clips]
    rows = torch.nn.utils.rnn.pad_sequence(units, batch_first=True)
    plain = model.translator(rows, torch.tensor([len(one) for one in units]), labels)
    torch.testing.assert_close(scores, plain, atol=1e-4, rtol=1e-4)
    scores.square().mean().backward()
    layers = model.acoustic.acoustic.encoder.body.encoder.layers
    assert all(any(p.grad is not None and p.grad.abs().sum() > 0 for p in layer.parameters()) for layer in layers)
    assert model.acoustic.quantizer.project.weight.grad.abs().sum() > 0
    assert model.translator.encoder.embedding.weight.grad.abs().sum() > 0


def test_shares_are_one_of_the_nearest_and_lean_towards_what_is_near():
    codebook = torch.tensor([[0.0], [1.0], [5.0]])
    projected = torch.tensor([[[0.4], [0.9], [6.0]]], requires_grad=True)
    shares = straight_through(projected, codebook)
    torch.testing.assert_close(shares[0], torch.eye(3))
    (shares * torch.tensor([0.0, 1.0, 0.0])).sum().backward()
    assert projected.grad[0, 0, 0] > 0  # nearer to the second code is more of it


def test_runs_are_means_of_their_frames_and_padding_is_none():
    units = torch.tensor([[2, 2, 0, 1, 1], [1, 0, 0, 0, 0]])
    shares = torch.nn.functional.one_hot(units, 3).float()
    found, counts = runs(shares, units, torch.tensor([5, 2]), collapse=True)
    assert counts.tolist() == [3, 2]
    assert found.argmax(-1)[0].tolist() == [2, 0, 1]
    torch.testing.assert_close(found[1, 2], torch.zeros(3))
    plain, counts = runs(shares, units, torch.tensor([5, 2]), collapse=False)
    assert counts.tolist() == [5, 2]
    torch.testing.assert_close(plain[0], shares[0])


def test_changes_of_shares_leave_something_and_are_the_same_again():
    rows = torch.eye(6)[torch.randint(FIRST, 6, (2, 30))]
    counts = torch.tensor([30, 10])
    same, kept = changed(rows, counts, UnitAugment(0.0, 0.0), 1)
    torch.testing.assert_close(same[0], rows[0])
    assert kept.tolist() == [30, 10]
    blanked, _ = changed(rows, counts, UnitAugment(0.0, 0.0, masks=3, mask_width=8), 1)
    assert (blanked.argmax(-1) == BLANK).any()
    fewer, kept = changed(rows, counts, UnitAugment(0.2, 0.5), 2)
    assert 0 < kept[0] < 30
    torch.testing.assert_close(fewer, changed(rows, counts, UnitAugment(0.2, 0.5), 2)[0])


def test_the_acoustic_model_learns_and_goes_with_the_translator(parallel, layer_model, tmp_path, capsys):
    train(options(parallel, layer_model, tmp_path / "t"))
    inner = tmp_path / "t" / "acoustic_model"
    mark = weights.fingerprint(inner / "model.safetensors")
    assert mark != weights.fingerprint(layer_model / "model.safetensors")
    before, after = (weights.load(place / "model.safetensors") for place in (layer_model, inner))
    assert torch.equal(before["quantizer.codebook"], after["quantizer.codebook"])
    runner = UnitTranslator.load(tmp_path / "t", "cpu")
    assert runner.config["acoustic"]["fingerprint"] == mark
    test = parallel / "test" / "units.jsonl"
    evaluate(Evaluate(str(tmp_path / "t"), test, json=tmp_path / "n.json", resamples=5))
    assert "heard anew" in capsys.readouterr().out
    assert json.loads((tmp_path / "n.json").read_text())["clips"] == 4


def test_until_it_is_thawed_it_stays(parallel, layer_model, tmp_path):
    chosen = options(parallel, layer_model, tmp_path / "t")
    tuning = replace(chosen.optimization, freeze_acoustic_steps=99)
    train(replace(chosen, optimization=tuning, training=replace(QUIET, max_steps=2, epochs=1)))
    inner = tmp_path / "t" / "acoustic_model" / "model.safetensors"
    before, after = weights.load(layer_model / "model.safetensors"), weights.load(inner)
    assert all(torch.equal(value, after[name]) for name, value in before.items())


def test_what_cannot_learn_is_refused(parallel, layer_model, unit_model, tmp_path):
    with pytest.raises(ConfigError, match="needs an acoustic model"):
        train(options(parallel, None, tmp_path / "a"))
    with pytest.raises(ConfigError, match="no weights to train"):
        train(options(parallel, unit_model, tmp_path / "b"))


def test_rows_of_another_model_that_cannot_be_heard_are_named(parallel, layer_model, tmp_path):
    train(options(parallel, layer_model, tmp_path / "t", training=replace(QUIET, max_steps=1)))
    (tmp_path / "t" / "acoustic_model" / "onsei.json").unlink()
    with pytest.raises(ModelError):
        evaluate(Evaluate(str(tmp_path / "t"), parallel / "test" / "units.jsonl", resamples=5))


def test_a_sound_that_is_too_long_is_left_out(parallel, layer_model, tmp_path):
    chosen = options(parallel, layer_model, tmp_path / "t", data=Parallel(batch_size=6, max_seconds=1.2))
    train(replace(chosen, training=replace(QUIET, epochs=1)))
    lines = (tmp_path / "t" / "quarantine.jsonl").read_text().splitlines()
    assert lines
    assert "at most 1.2" in lines[0]
    assert np.isfinite(json.loads((tmp_path / "t" / "onsei.json").read_text())["history"]["seconds"])
