"""Pretrained encoders: fine-tuned by the same commands, opened by transformers too, alone as in a batch."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

import onsei
from onsei.data.manifest import Manifest
from onsei.errors import ModelError
from onsei.systems.recognition.adoption import adopt
from onsei.systems.recognition.config import Augment, Data, Encoder, Features, Optimizer, Request
from onsei.systems.recognition.encoder import EncoderCTC, take_head
from onsei.systems.recognition.training import train as train_model
from onsei.text.alphabet import ENGLISH, Alphabet
from onsei.text.pieces import Pieces
from onsei.units import ssl
from tests.commands import assert_refused
from tests.recognition.corpus import command, rows, sound, steps, train, write
from tests.runs import facts
from tests.units.encoders import shape, write_encoder, write_fine_tuned, write_preprocessor

RATE = 8000
STILL = dict.fromkeys(
    ("layerdrop", "hidden_dropout", "attention_dropout", "activation_dropout", "feat_proj_dropout", "final_dropout"),
    0.0,
)
WAVE = ("--kind", "wave", "--lr", "0.001")


@pytest.fixture(scope="module")
def learned(made, tmp_path_factory):
    """A run that fine-tuned a tiny encoder from random weights until it heard the tones, and how it went."""
    folder = tmp_path_factory.mktemp("encoder")
    convolutions = {"conv_dim": (24, 24, 48), "conv_kernel": (32, 8, 8), "conv_stride": (8, 8, 5)}
    config = shape(**STILL, **convolutions, hidden_size=48)
    config.save_pretrained(folder / "shape")
    write_preprocessor(folder / "shape", RATE)
    options = replace(
        made.train,
        output_dir=folder / "run",
        features=Features(kind="wave", sample_rate=RATE),
        encoder=Encoder(pretrained=str(folder / "shape"), from_scratch=True, freeze_front=False),
        optimization=Optimizer(optimizer="adamw", learning_rate=3e-3),
        training=replace(made.train.training, epochs=5, warmup_steps=20, estimate_memory=False),
    )
    return options.output_dir, train_model(options), options


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    return write_encoder(tmp_path_factory.mktemp("tiny") / "encoder", "wav2vec2-group", rate=RATE)


@pytest.fixture
def said(corpus, tmp_path):
    return write(tmp_path, rows(corpus, 6))


def test_an_encoder_learns_what_its_labels_can_tell(learned):
    assert learned[1].best < 30


def test_shuffled_texts_teach_it_nothing(made, learned, tmp_path):
    control = replace(learned[2], train_manifest=made.control.train_manifest, output_dir=tmp_path / "control")
    assert train_model(control).best > 90


def test_transformers_opens_the_folder_and_hears_the_same(made, learned):
    from transformers import AutoModelForCTC, pipeline

    stock = pipeline("automatic-speech-recognition", model=str(learned[0]), device="cpu")
    ours = onsei.load(learned[0], device="cpu")
    network, report = AutoModelForCTC.from_pretrained(learned[0], output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    heard = set()
    for request in made.requests:
        text = ours(request).text
        assert stock({"raw": sound(request.audio), "sampling_rate": RATE})["text"] == text
        heard.add(text)
    assert len(heard) > 2
    features = torch.from_numpy(ours._front(sound(made.requests[0].audio)))[None]
    theirs = network(features[:, 0]).logits
    torch.testing.assert_close(ours.model(features, torch.tensor([features.size(-1)]))[0], theirs, rtol=0, atol=1e-5)


def test_requests_alone_get_what_they_get_together_with_times(made, learned):
    ours = onsei.load(learned[0], device="cpu")
    together = ours.batch(made.requests)
    for request, transcript in zip(made.requests, together, strict=True):
        alone = ours(request)
        assert alone.text == transcript.text
        for mine, their in zip(alone.words, transcript.words, strict=True):
            assert (mine.text, mine.start, mine.end) == (their.text, their.start, their.end)
            assert 0 <= mine.start < mine.end <= alone.duration


@pytest.mark.parametrize("kind", ["wav2vec2-group", "wav2vec2-layer"])
def test_logits_of_a_padded_batch_are_those_of_each_clip(kind):
    torch.manual_seed(0)
    network = EncoderCTC(ssl.fresh(shape(kind)), 5).eval()
    lengths = torch.tensor([3000, 8000, 5001])
    batch = torch.zeros(3, 1, 8000)
    for row, n in zip(batch, lengths, strict=True):
        row[:, :n] = torch.randn(n)
    with torch.no_grad():
        together, frames = network(batch, lengths)
        for row, n, logits, count in zip(batch, lengths, together, frames, strict=True):
            alone, _ = network(row[None, :, :n], n[None])
            torch.testing.assert_close(logits[:count], alone[0], rtol=0, atol=1e-5)


def test_a_run_resumes_bit_for_bit_with_masks_and_a_frozen_start(capsys, recipe, encoder, said, tmp_path):
    words = (*WAVE, "--pretrained", encoder, "--epochs", "2", "--mask-time-prob", "0.3", "--mask-time-length", "2")
    words = (*words, "--freeze-steps", "2", "--optimizer", "adamw", "--layerdrop", "0.2", "--head-rate", "10")
    assert train(capsys, recipe, said, tmp_path / "straight", *words).status == 0
    assert train(capsys, recipe, said, tmp_path / "halves", *words, "--max-steps", "3").status == 0
    again = command(capsys, "train", "--continue-from", tmp_path / "halves", "--max-steps", "0")
    assert again.status == 0, again.err
    assert steps(tmp_path / "halves") == steps(tmp_path / "straight")
    weights = [(tmp_path / run / "model.safetensors").read_bytes() for run in ("halves", "straight")]
    assert weights[0] == weights[1]


def test_what_is_frozen_stays_and_the_head_moves(capsys, recipe, encoder, said, tmp_path):
    words = (*WAVE, "--pretrained", encoder, "--layerdrop", "0")

    def moved(run, *more):
        answer = train(capsys, recipe, said, tmp_path / run, *words, *more)
        assert answer.status == 0, answer.err
        before = ssl.load(ssl.look(encoder)).state_dict()
        after = onsei.load(tmp_path / run, device="cpu").model.body.state_dict()
        return {name.split(".")[0] for name, tensor in before.items() if not torch.equal(tensor, after[name])}

    assert moved("head", "--freeze-steps", "9") == set()
    assert {"encoder", "feature_projection"} <= moved("body") <= {"encoder", "feature_projection", "masked_spec_embed"}
    assert "feature_extractor" in moved("all", "--no-freeze-front", "--gradient-checkpointing")
    heads = [onsei.load(tmp_path / run, device="cpu").model.lm_head.weight for run in ("head", "body")]
    assert not torch.equal(*heads)


def test_it_is_evaluated_like_any_other(capsys, recipe, encoder, said, tmp_path):
    words = ("--pretrained", encoder, "--val-manifest", said, "--precision", "bf16", "--augment.speed", "0.1")
    assert train(capsys, recipe, said, tmp_path / "run", *WAVE, *words).status == 0
    table = ("--test-manifest", said, "--json", tmp_path / "n.json", "--num-workers", "0", "--device", "cpu")
    assert command(capsys, "evaluate", tmp_path / "run", *table).status == 0
    assert json.loads((tmp_path / "n.json").read_text())["utterances"] == 6
    assert facts(tmp_path / "run")["config"]["encoder"]["pretrained"] == str(encoder)


@pytest.mark.parametrize(
    "alphabet",
    [
        Alphabet(("_", "|", "a", " "), "keep"),
        Alphabet(("_", "go", "stop"), "lower", "words"),
        Alphabet(("_", "窓", "空"), script="kanji"),
        Alphabet.of_pieces(Pieces.learn(["to be or not to be"] * 3, 12), "lower"),
    ],
    ids=["characters", "words", "japanese", "pieces"],
)
def test_the_tokenizer_joins_labels_as_we_do(alphabet, tmp_path):
    from transformers import AutoTokenizer

    from onsei.systems.recognition.encoder import files

    network = EncoderCTC(ssl.fresh(shape()), len(alphabet.labels))
    for name, text in files(network, alphabet, Features(kind="wave")).items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    numbers = [2, 0, 1, 1, 2] if len(alphabet.labels) == 3 else [2, 3, 3, 0, 1, 2]
    collapsed = [n for n, before in zip(numbers, [None, *numbers], strict=False) if n and n != before]
    assert tokenizer.decode(numbers) == alphabet.decode(collapsed).replace("|", "¦")


TOKENS = ["<s>", "<pad>", "</s>", "<unk>", "|", "E", "T", "A", "'"]


def test_a_head_of_the_same_labels_is_taken_over(tmp_path):
    folder = write_fine_tuned(tmp_path / "tuned", TOKENS)
    head = ssl.read_head(ssl.look(folder))
    alphabet = Alphabet(ENGLISH)
    layer = torch.nn.Linear(32, len(ENGLISH))
    fresh = layer.weight.detach().clone()
    assert take_head(layer, head, alphabet) == 6  # the blank, the space, E, T, A and the apostrophe
    for ours, theirs in (("_", "<pad>"), (" ", "|"), ("T", "T")):
        assert torch.equal(layer.weight[ENGLISH.index(ours)], head.weight[head.tokens[theirs]])
        assert layer.bias[ENGLISH.index(ours)] == head.bias[head.tokens[theirs]]
    assert torch.equal(layer.weight[ENGLISH.index("Q")], fresh[ENGLISH.index("Q")])


def test_a_folder_fine_tuned_elsewhere_becomes_a_model_that_hears_the_same(corpus, tmp_path):
    from transformers import AutoModelForCTC

    folder = write_fine_tuned(tmp_path / "tuned", TOKENS)
    assert adopt(folder, tmp_path / "ours").labels == ("_", " ", "E", "T", "A", "'")
    ours = onsei.load(tmp_path / "ours", device="cpu")
    assert ours.alphabet.case == "upper"
    samples = np.random.default_rng(0).standard_normal(9000).astype(np.float32)
    features = torch.from_numpy(ours._front(samples))[None]
    with torch.no_grad():
        theirs = AutoModelForCTC.from_pretrained(folder)(features[:, 0]).logits
        mine, _ = ours.model(features, torch.tensor([9000]))
    torch.testing.assert_close(mine, theirs[..., [1, 4, 5, 6, 7, 8]], rtol=0, atol=1e-5)
    assert ours(Request(rows(corpus, 1)[0].audio)).duration > 0


def test_the_card_names_the_base_model_and_its_license(tmp_path):
    write_fine_tuned(tmp_path / "theirs", TOKENS)
    config = json.loads((tmp_path / "theirs" / "config.json").read_text())
    (tmp_path / "theirs" / "config.json").write_text(json.dumps({**config, "_name_or_path": "user/encoder"}))
    (tmp_path / "theirs" / "README.md").write_text("---\nlicense: apache-2.0\n---\n")
    adopt(tmp_path / "theirs", tmp_path / "ours")
    card = (tmp_path / "ours" / "README.md").read_text(encoding="utf-8")
    assert 'base_model: ["user/encoder"]' in card
    assert "[user/encoder](https://huggingface.co/user/encoder), license: apache-2.0" in card
    assert 'pipeline_tag: "automatic-speech-recognition"' in card
    assert 'license: "unknown"' in card  # that of the data is


def test_the_verb_import_takes_such_a_folder(capsys, tmp_path):
    folder = write_fine_tuned(tmp_path / "tuned", TOKENS)
    answer = command(capsys, "import", folder, "--output-dir", tmp_path / "ours")
    assert answer.status == 0, answer.err
    assert facts(tmp_path / "ours")["labels"] == ["_", " ", "E", "T", "A", "'"]
    assert_refused(command(capsys, "import", folder, "--output-dir", tmp_path / "ours"), "--force")


def test_a_folder_without_a_head_is_not_adopted(encoder, tmp_path):
    with pytest.raises(ModelError, match="train wav2vec2 --pretrained"):
        adopt(encoder, tmp_path / "ours")
    odd = write_fine_tuned(tmp_path / "odd", ["<pad>", "|", "th", "e"])
    with pytest.raises(ModelError, match="'th'"):
        adopt(odd, tmp_path / "ours")


def test_faults_are_told_before_the_long_work(capsys, recipe, encoder, said, tmp_path):
    def refused(*words):
        return train(capsys, recipe, said, tmp_path / "run", *words)

    assert_refused(refused("--kind", "wave"), "encoder.pretrained is empty", "facebook/wav2vec2-base")
    assert_refused(refused("--pretrained", encoder), "features.kind is spectrogram", "recipe wav2vec2")
    assert_refused(refused(*WAVE, "--pretrained", tmp_path / "none"), "no such folder")
    assert_refused(refused(*WAVE, "--pretrained", encoder, "--sample-rate", "16000"), "hears 8000 Hz")
    assert_refused(refused(*WAVE, "--pretrained", encoder, "--freq-masks", "2"), "augment.freq_masks", "mask-time-prob")
    bert = tmp_path / "bert"
    shutil.copytree(encoder, bert)
    (bert / "config.json").write_text('{"model_type": "bert"}')
    assert_refused(refused(*WAVE, "--pretrained", bert), "no speech encoder")
    assert not (tmp_path / "run").exists()


def test_export_names_the_tools_that_write_encoders(capsys, learned, tmp_path):
    pytest.importorskip("onnx")
    answer = command(capsys, "export", learned[0], "--output", tmp_path / "m.onnx")
    assert_refused(answer, "pretrained encoder", "optimum")


def test_a_clip_shorter_than_one_window_is_heard(learned):
    ours = onsei.load(learned[0], device="cpu")
    assert len(ours.hear([np.zeros(7, np.float32), sound_of(ours)])) == 2


def sound_of(runner):
    return np.random.default_rng(0).standard_normal(runner.features.sample_rate).astype(np.float32)


def test_samples_are_masked_and_batched_by_seconds(corpus, said):
    from onsei.systems.recognition.data import Preparation, source

    features = Features(kind="wave", sample_rate=RATE, bins=1)
    preparation = Preparation(Alphabet(tuple("_AEIO "), "keep"), features, Augment(gain=3))
    loader = source(Manifest.open(said), preparation, Data(batch_size=3), seed=1, training=True, workers=0)
    batch = next(iter(loader.batches(0)))
    assert batch.features.shape[:2] == (3, 1)
    for row, length in zip(batch.features, batch.lengths, strict=True):
        assert abs(float(row[0, :length].mean())) < 1e-4
        assert float(row[0, :length].std()) == pytest.approx(1, abs=1e-2)
        assert not row[0, length:].any()
