"""Translators: they learn to write what is said, listen, and are opened again; decoders by folder."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from onsei import cli
from onsei.errors import ConfigError, DataError, ModelError
from onsei.hub import weights
from onsei.systems.translation.config import Evaluate, Ground
from onsei.systems.translation.config.ground import ImageNetwork, Pairs
from onsei.systems.translation.config.train import Decoder, Pivot, Tuning
from onsei.systems.translation.evaluation import evaluate
from onsei.systems.translation.evaluation.slots import slot_accuracy
from onsei.systems.translation.ground.core import Core
from onsei.systems.translation.ground.encoder import UnitEncoder
from onsei.systems.translation.ground.training import ground
from onsei.systems.translation.images.network import SmallImageEncoder
from onsei.systems.translation.stock import bart
from onsei.systems.translation.translator.inference import UnitTranslator
from onsei.systems.translation.translator.learner import Translating
from onsei.systems.translation.translator.model import Pivoted, Translator, scores, translation_loss
from onsei.systems.translation.translator.training import train
from onsei.training.learner import Clock
from tests.translation import letters
from tests.translation.letters import CLOCK, OPTIONS, UNITS


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("parallel")
    return tuple(letters.write(folder, name, n, seed=k, colors=2, shapes=2) for k, (name, n) in
                 enumerate((("train", 150), ("test", 30))))  # fmt: skip


@pytest.fixture(scope="module")
def core(corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("core") / "core"
    image = ImageNetwork(width=16, heads=2, layers=1)
    clock = replace(CLOCK, epochs=1, monitor="val/recall", mode="max")
    pairs = Ground(train_manifest=corpus[0], output_dir=folder, embedding_dim=16, units=UNITS, image=image)
    ground(replace(pairs, data=Pairs(batch_size=50), training=clock))
    return folder


@pytest.fixture(scope="module")
def trained(corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("translator") / "translator"
    train(replace(OPTIONS, train_manifest=corpus[0], output_dir=folder))
    return folder


@pytest.fixture(scope="module")
def stock(tmp_path_factory):
    """A BART as transformers saves it, with its tokenizer."""
    folder = tmp_path_factory.mktemp("stock") / "bart"
    found = bart.made(Decoder(width=16, layers=1, heads=2), ["two red rings are above a blue star ."] * 3)
    found.model.save_pretrained(folder)
    for name, content in found.tokens.files().items():
        (folder / name).write_bytes(content)
    return folder


def clips(path, count=6):
    return [np.array(row["units"]) for row in letters.rows(path)[:count]]


def short(options, folder, **changes):
    return replace(options, output_dir=folder, training=replace(options.training, epochs=1, warmup_steps=0, **changes))


def test_it_listens_and_controls_do_not(trained, corpus, tmp_path):
    evaluate(Evaluate(str(trained), corpus[1], train_manifest=corpus[0], json=tmp_path / "n.json",
                      table=tmp_path / "t.jsonl", resamples=50))  # fmt: skip
    numbers = json.loads((tmp_path / "n.json").read_text())
    assert numbers["bleu"] > 35
    for control in ("shuffled", "zeroed", "random", "constant"):
        assert numbers[f"bleu_{control}"] < 0.7 * numbers["bleu"], control
    assert numbers["bleu_low"] <= numbers["bleu"] <= numbers["bleu_high"]
    assert numbers["slot/relation"] > 80
    assert "version:" in numbers["signature"]
    lines = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text().splitlines()]
    assert [line["id"] for line in lines] == [row["id"] for row in letters.rows(corpus[1])]
    assert 100 * np.mean([line["text"] == line["translation"] for line in lines]) == pytest.approx(numbers["exact"])


def test_a_clip_alone_is_translated_as_together_and_n_best_are_in_order(trained, corpus):
    runner = UnitTranslator.load(trained, "cpu")
    together = runner(clips(corpus[1]), beams=3, n_best=2)
    alone = [runner([clip], beams=3, n_best=2)[0] for clip in clips(corpus[1])]
    assert [[s.text for s in one.sentences] for one in together] == [[s.text for s in one.sentences] for one in alone]
    for one, other in zip(together, alone, strict=True):
        assert one.sentences[0].score >= one.sentences[1].score
        assert one.sentences[0].score == pytest.approx(other.sentences[0].score, abs=1e-3)


def test_attention_lies_on_the_clip(trained, corpus):
    found = UnitTranslator.load(trained, "cpu").attention(clips(corpus[1])[0])
    assert found.weights.shape == (len(found.pieces), len(found.places))
    np.testing.assert_allclose(found.weights.sum(1), 1, atol=1e-4)
    assert len(found.pieces) > 5


@pytest.mark.parametrize("clip", [[], [0, letters.COUNT], [-1]])
def test_clips_that_it_cannot_understand_are_refused(trained, clip):
    with pytest.raises(DataError, match="clip 0"):
        UnitTranslator.load(trained, "cpu")([np.array(clip, dtype=np.int64)])


def test_the_encoder_comes_from_the_core(core, corpus, tmp_path):
    frozen = replace(OPTIONS.optimization, freeze_encoder_steps=99)
    options = replace(short(OPTIONS, tmp_path / "t", max_steps=2), train_manifest=corpus[0], semantic_model=core)
    train(replace(options, optimization=frozen))
    ours, theirs = UnitTranslator.load(tmp_path / "t", "cpu").model.encoder, Core.load(core, "cpu").network.encoder
    for one, other in zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True):
        assert torch.equal(one, other)
    train(replace(options, output_dir=tmp_path / "u"))
    moved = UnitTranslator.load(tmp_path / "u", "cpu").model.encoder
    assert any(not torch.equal(a, b) for a, b in zip(moved.parameters(), theirs.parameters(), strict=True))


def test_captions_alone_make_a_translator(core, corpus, tmp_path):
    captions = letters.write(corpus[0].parent, "captions", 20, colors=2, shapes=2, units=None)
    options = replace(
        short(OPTIONS, tmp_path / "pivot", max_steps=2), semantic_model=core, pivot=Pivot(captions=captions)
    )
    train(options)
    runner = UnitTranslator.load(tmp_path / "pivot", "cpu")
    assert len(runner(clips(corpus[1]))) == 6
    numbers = runner.zeroed(clips(corpus[1]))
    assert len(set(numbers)) == 1
    with pytest.raises(ConfigError, match="needs a semantic core"):
        train(replace(options, semantic_model=None, output_dir=tmp_path / "other"))


def test_each_picture_is_seen_once(core, corpus, tmp_path, monkeypatch):
    captions = letters.write(corpus[0].parent, "captioned", 6, colors=2, shapes=2, units=None)
    seen = []
    forward = SmallImageEncoder.forward
    monkeypatch.setattr(SmallImageEncoder, "forward", lambda self, x: seen.extend(x) or forward(self, x))
    train(replace(short(OPTIONS, tmp_path / "pivot", max_steps=3), semantic_model=core, pivot=Pivot(captions=captions)))
    assert len(seen) == 6


def test_a_bart_by_folder(stock, corpus, tmp_path):
    options = replace(short(OPTIONS, tmp_path / "t", max_steps=2), train_manifest=corpus[0])
    train(replace(options, decoder=Decoder(pretrained=str(stock), longest=20),
                  optimization=replace(OPTIONS.optimization, freeze_decoder_steps=1)))  # fmt: skip
    runner = UnitTranslator.load(tmp_path / "t", "cpu")
    assert runner(clips(corpus[1], 1))[0].sentences
    assert len(runner.tokens) == len(bart.Tokens.opened(stock))


def test_only_what_is_thawed_learns(stock):
    torch.manual_seed(0)
    from onsei.systems.translation.ground.encoder import UnitEncoder
    from onsei.systems.translation.translator.data import Batch

    found = bart.pretrained(str(stock))
    model = Translator(UnitEncoder(5, UNITS), found.model, 16)
    tuning = Tuning(freeze_encoder_steps=2, freeze_decoder_steps=3)
    options = replace(OPTIONS, decoder=Decoder(pretrained=str(stock)), optimization=tuning)
    learner = Translating(model, options, grounded=True)
    labels = found.tokens.encode(["two red rings ."], 10)
    batch = Batch(("a",), torch.full((1, 9), 3), torch.tensor([9]), labels)
    for step, (encoder, decoder) in enumerate([(False, False), (False, False), (True, False), (True, True)]):
        learner.step(batch, Clock(step, 0, 0), lambda name, loss, keep=False: None)
        assert model.encoder.embedding.weight.requires_grad is encoder
        assert model.decoder.model.shared.weight.requires_grad is decoder
        attention = [p for name, p in model.decoder.named_parameters() if "encoder_attn" in name]
        assert attention
        assert all(p.requires_grad for p in attention)


def test_folders_that_are_no_bart_are_named(tmp_path, trained, stock):
    with pytest.raises(ModelError, match="no such folder"):
        bart.pretrained("nowhere")
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    with pytest.raises(ModelError, match="gpt2"):
        bart.pretrained(str(tmp_path))
    for path in stock.iterdir():
        if path.suffix != ".safetensors":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    with pytest.raises(ModelError, match=r"no model\.safetensors"):
        bart.pretrained(str(tmp_path))


@pytest.mark.parametrize("damage", ["cut", "lacking"])
def test_damaged_weights_of_a_bart_are_named_and_never_made_up(tmp_path, stock, damage):
    folder = shutil.copytree(stock, tmp_path / "bart")
    file = folder / "model.safetensors"
    if damage == "cut":
        file.write_bytes(file.read_bytes()[:-100])
    else:
        tensors = weights.load(file)
        weights.save(file, {k: v for k, v in tensors.items() if "encoder_attn.q_proj" not in k}, {"format": "pt"})
    with pytest.raises(ModelError, match="cannot be read" if damage == "cut" else "lack 2 tensors"):
        bart.pretrained(str(folder))


def test_no_code_of_another_place_is_asked_for_by_a_configuration(tmp_path, stock):
    folder = shutil.copytree(stock, tmp_path / "bart")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config["attn_implementation"] = config["_attn_implementation"] = "somebody/attention"
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    assert bart.pretrained(str(folder)).model.config._attn_implementation == "sdpa"
    assert bart.rebuilt(config, folder).model.config._attn_implementation == "sdpa"


def test_tokens_give_texts_back_and_tell_what_they_do_not_know():
    tokens = bart.Tokens.learned(["two red rings", "ein größeres Ding", "赤い輪", "a  b"] * 3, 400)
    texts = ["two red rings", "ein größeres Ding", "赤い輪", "a  b", "größere rote dinge"]
    assert tokens.decode(tokens.encode(texts, 200)) == texts
    assert tokens.encode(["two red rings"] * 2, 4).shape == (2, 4)
    unknown = tokens.inner.unk_token_id
    assert unknown in tokens.encode(["two quartz rings"], 40).tolist()[0]
    assert unknown not in tokens.encode(texts, 200)
    assert tokens.decode(tokens.encode(["two rings §"], 40)) == ["two rings"]


def test_tokens_are_those_of_the_texts_alone():
    texts = ["two red rings", "a blue star"] * 3
    tokens = bart.Tokens.learned(texts, 400)
    assert len(tokens) < 60
    assert len(bart.Tokens.learned(texts, 1)) == len(bart.SPECIAL) + len(set("".join(texts)))
    assert tokens.encode(["two red rings"], 40).shape == (1, 5)


def test_a_new_decoder_hears_speech_at_once():
    """At first each of two clips already has other scores than the other, as much as the words before differ."""
    torch.manual_seed(0)
    found = bart.made(Decoder(dropout=0.0), ["two red rings are above a blue star ."] * 3)
    labels = found.tokens.encode(["two red rings are above a blue star ."] * 2, 40)
    states = torch.nn.functional.layer_norm(torch.randn(2, 20, 128), (128,))
    logits = scores(found.model.eval(), states, torch.ones(2, 20, dtype=torch.bool), labels)
    assert (logits[0] - logits[1]).std() > 0.3 * logits.std()


def test_words_that_are_hidden_say_nothing():
    """All hidden, a token's scores do not depend on those before it; none hidden, they are as without dropout."""
    torch.manual_seed(0)
    texts = ["two red rings are above a blue star .", "one blue star is under two red rings ."]
    found = bart.made(Decoder(dropout=0.0), texts * 3)
    labels = torch.nn.utils.rnn.pad_sequence(
        [found.tokens.encode([text], 40)[0] for text in texts], batch_first=True, padding_value=-100
    )
    model, states = found.model.train(), torch.randn(1, 20, 128).expand(2, -1, -1)
    mask = torch.ones(2, 20, dtype=torch.bool)
    hidden = scores(model, states, mask, labels, 1.0)
    torch.testing.assert_close(hidden[0], hidden[1])
    plain = scores(model, states, mask, labels)
    assert not torch.allclose(plain[0], plain[1])
    torch.testing.assert_close(scores(model, states, mask, labels, 1e-9), plain)


def test_words_are_hidden_in_training_alone():
    torch.manual_seed(0)
    found = bart.made(Decoder(width=16, layers=1, heads=2, dropout=0.0), ["a b c d e f"] * 3)
    labels = found.tokens.encode(["a b c d e f"], 40)
    for model, source in (
        (Translator(UnitEncoder(9, UNITS), found.model, 16, 1.0), (torch.tensor([[2, 3, 4]]), torch.tensor([3]))),
        (Pivoted(8, 2, found.model, 16, 1.0), (torch.randn(1, 8),)),
    ):
        read = model.read(*source)
        torch.testing.assert_close(model.eval()(*source, labels), scores(model.decoder, *read, labels))
        torch.testing.assert_close(model.train()(*source, labels), scores(model.decoder, *read, labels, 1.0))


def test_the_loss_does_not_see_padding():
    logits = torch.randn(2, 5, 7)
    labels = torch.tensor([[1, 2, 3, -100, -100], [4, 5, 6, 0, 1]])
    whole = translation_loss(logits, labels, 0.1)
    parts = [(translation_loss(logits[n : n + 1, :k], labels[n : n + 1, :k], 0.1), k) for n, k in ((0, 3), (1, 5))]
    assert whole.item() == pytest.approx(sum(x.item() * k for x, k in parts) / 8, abs=1e-6)


def test_empty_translations_are_left_out_and_counted(corpus, tmp_path, capsys):
    path = corpus[0].with_name("gaps.jsonl")
    path.write_text(corpus[0].read_text())
    letters.rewrite(path, lambda n, row: row | {"text": "  "} if n < 3 else row)
    train(replace(short(OPTIONS, tmp_path / "t"), train_manifest=path))
    assert "3 rows without a text" in capsys.readouterr().out
    assert "an empty text" in (tmp_path / "t" / "quarantine.jsonl").read_text()
    letters.rewrite(path, lambda n, row: row | {"text": ""})
    with pytest.raises(DataError, match="no row has a text"):
        train(replace(short(OPTIONS, tmp_path / "u"), train_manifest=path))


def test_units_of_another_model_than_the_cores_are_refused(core, corpus, tmp_path):
    path = letters.write(tmp_path, "other", 20, num_clusters=99)
    with pytest.raises(DataError, match=f"the semantic core has {letters.COUNT}"):
        train(replace(short(OPTIONS, tmp_path / "t"), train_manifest=path, semantic_model=core))


def test_the_first_rows_alone(corpus, tmp_path, capsys):
    options = replace(short(OPTIONS, tmp_path / "t", max_steps=1), train_manifest=corpus[0])
    train(replace(options, data=replace(OPTIONS.data, limit=40)))
    assert "40 translated clips to learn from, none to choose by" in capsys.readouterr().out


def test_slots_by_hand():
    slots = [{"color": "red blue", "relation": "left of"}, {"color": "blue blue", "relation": "above"}]
    hypotheses = ["a red ring is left of a blue star .", "two blue stars are left of a blue ring ."]
    assert slot_accuracy(hypotheses, slots) == {"color": 100.0, "relation": 50.0}


def test_training_begins_with_a_translator_its_tokens_and_its_units(trained, core, corpus, tmp_path):
    few = letters.write(tmp_path, "few", 12, seed=7, colors=4, shapes=3)  # with words that the base never saw
    still = replace(OPTIONS.optimization, learning_rate=1e-9, grounded_rate=1e-9, weight_decay=0.0)
    options = replace(short(OPTIONS, tmp_path / "t", max_steps=1), train_manifest=few, base=str(trained))
    train(replace(options, optimization=still, units=replace(UNITS, width=64)))  # the base's own width counts
    ours, theirs = (UnitTranslator.load(folder, "cpu") for folder in (tmp_path / "t", trained))
    assert ours.tokens.files()["tokenizer.json"] == theirs.tokens.files()["tokenizer.json"]
    for one, other in zip(ours.model.state_dict().values(), theirs.model.state_dict().values(), strict=True):
        assert torch.allclose(one, other, atol=1e-6)
    history = json.loads((tmp_path / "t" / "onsei.json").read_text())["history"]
    assert history["finetuned_from"] == str(trained)
    fresh = replace(options, base="", output_dir=tmp_path / "fresh")
    train(fresh)
    assert len(UnitTranslator.load(tmp_path / "fresh", "cpu").tokens) != len(ours.tokens)
    tuned = replace(fresh.training, continue_from=str(trained), finetune=True)
    train(replace(fresh, output_dir=tmp_path / "tuned", training=tuned))
    again = replace(tuned, continue_from=str(tmp_path / "tuned"), finetune=False, max_steps=2)
    train(replace(options, output_dir=tmp_path / "tuned", training=again))
    assert UnitTranslator.load(tmp_path / "tuned", "cpu").tokens.inner.vocab == theirs.tokens.inner.vocab
    lent = ["train", "--continue-from", str(tmp_path / "tuned"), "--finetune", "--output-dir", str(tmp_path / "twice")]
    assert cli.main(["translation", *lent, "--device", "cpu", "--max-steps", "1"]) == 0  # options of a tuned run
    history = json.loads((tmp_path / "twice" / "onsei.json").read_text())["history"]
    assert history["finetuned_from"] == str(tmp_path / "tuned")
    with pytest.raises(ConfigError, match="a semantic core too"):
        train(replace(options, semantic_model=core, output_dir=tmp_path / "u"))
    with pytest.raises(ModelError, match="found a model of the stage ground"):
        train(replace(options, base=str(core), output_dir=tmp_path / "u"))
    other = letters.write(tmp_path, "other", 20, num_clusters=99)
    with pytest.raises(DataError, match=f"the translator that training begins with has {letters.COUNT}"):
        train(replace(options, train_manifest=other, output_dir=tmp_path / "u"))
