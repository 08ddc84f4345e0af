"""`classify`: files, folders, addresses, standard input; table, JSON, CSV; models of onsei and transformers."""

import csv
import io as text
import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from onsei import cli
from onsei.audio import io
from onsei.hub import weights
from onsei.systems.classification import classify, foreign
from onsei.systems.classification.config import Request
from onsei.systems.classification.data.example import example
from onsei.systems.classification.training import train
from tests.data import labeled
from tests.data.file_server import serving
from tests.data.trees import put

RATE = 16000


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The example's model after a step, and its sounds."""
    from dataclasses import replace

    options = example(tmp_path_factory.mktemp("trained")).train
    train(replace(options, training=replace(options.training, epochs=1, max_steps=1)))
    return options.output_dir


@pytest.fixture(scope="module")
def hubert(tmp_path_factory):
    """A folder as transformers writes it, of a tiny HuBERT."""
    from transformers import HubertConfig, HubertForSequenceClassification, Wav2Vec2FeatureExtractor

    torch.manual_seed(0)
    config = HubertConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, conv_dim=(8, 8, 8),
        conv_kernel=(10, 3, 2), conv_stride=(5, 2, 2), num_feat_extract_layers=3, num_conv_pos_embeddings=4,
        num_conv_pos_embedding_groups=2, classifier_proj_size=8, num_labels=3,
        id2label={0: "dog", 1: "猫", 2: "rain"}, label2id={"dog": 0, "猫": 1, "rain": 2},
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("hubert")
    HubertForSequenceClassification(config).save_pretrained(folder)
    Wav2Vec2FeatureExtractor(do_normalize=True, return_attention_mask=True).save_pretrained(folder)
    return folder


def run(capsys, *words):
    """(status, out, err) of ``onsei classification classify``."""
    capsys.readouterr()
    try:
        status = cli.main(["classification", "classify", *map(str, words)])
    except SystemExit as left:
        status = left.code
    return status, *capsys.readouterr()


def noise(path, seconds, seed=0, rate=RATE):
    return labeled.sound(path, seed, seconds, rate)


def pipeline(folder):
    import transformers

    return transformers.pipeline("audio-classification", model=str(folder), device="cpu")


def test_a_foreign_model_answers_as_its_own_pipeline(hubert, tmp_path):
    runner, stock = foreign.open_classifier(hubert, "cpu"), pipeline(hubert)
    paths = [noise(tmp_path / f"{n}.wav", seconds, n) for n, seconds in enumerate((1.0, 0.3, 0.03, 7.3, 1.0))]
    together = runner.batch([Request(path) for path in paths])
    for path, result in zip(paths, together, strict=True):
        wanted = {one["label"]: one["score"] for one in stock(io.load(path, RATE)[0], top_k=3)}
        found = {one.label: one.score for one in result.labels}
        assert found == pytest.approx(wanted, abs=2e-5)
        alone = runner(Request(path))
        assert {one.label: one.score for one in alone.labels} == pytest.approx(found, abs=2e-6)


@pytest.mark.parametrize("kind", ["ast", "whisper"])
def test_spectrogram_models_of_fixed_length_answer_as_their_pipeline(kind, tmp_path):
    import transformers as hf

    torch.manual_seed(1)
    names = {"num_labels": 2, "id2label": {0: "a", 1: "b"}, "label2id": {"a": 0, "b": 1}}
    if kind == "ast":
        config = hf.ASTConfig(
            hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, max_length=64,
            num_mel_bins=32, **names,
        )  # fmt: skip
        hf.ASTForAudioClassification(config).save_pretrained(tmp_path / "m")
        hf.ASTFeatureExtractor(max_length=64, num_mel_bins=32).save_pretrained(tmp_path / "m")
    else:
        config = hf.WhisperConfig(
            d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=2,
            encoder_ffn_dim=16, decoder_ffn_dim=16, num_mel_bins=16, max_source_positions=50, vocab_size=60,
            pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1, **names,
        )  # fmt: skip
        hf.WhisperForAudioClassification(config).save_pretrained(tmp_path / "m")
        hf.WhisperFeatureExtractor(feature_size=16, chunk_length=1).save_pretrained(tmp_path / "m")
    runner, stock = foreign.open_classifier(tmp_path / "m", "cpu"), pipeline(tmp_path / "m")
    sounds = [np.random.default_rng(n).standard_normal(4000 * (n + 1)).astype(np.float32) for n in range(2)]
    for row, sound in zip(runner.probabilities(sounds), sounds, strict=True):
        wanted = {one["label"]: one["score"] for one in stock(sound)}
        assert dict(zip(runner.labels, row.tolist(), strict=True)) == pytest.approx(wanted, abs=2e-5)
    assert runner.probabilities([np.concatenate([sounds[1]] * 5)]).sum() == pytest.approx(1, abs=1e-5)


def test_code_in_a_folder_is_never_run(hubert, tmp_path, capsys):
    folder = tmp_path / "m"
    folder.mkdir()
    for path in hubert.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    trap = f"open({str(tmp_path / 'ran')!r}, 'w')\n"
    put(folder / "evil.py", trap)
    code = {"AutoConfig": "evil.Evil", "AutoModelForAudioClassification": "evil.M"}
    config |= {"model_type": "evil", "auto_map": code}
    put(folder / "config.json", json.dumps(config))
    status, _, err = run(capsys, folder, noise(tmp_path / "a.wav", 0.2))
    assert (status, "never run" in err) == (2, True)
    config["model_type"] = "hubert"
    put(folder / "config.json", json.dumps(config))
    assert run(capsys, folder, tmp_path / "a.wav")[0] == 0
    assert not (tmp_path / "ran").exists()


def test_a_pickle_is_read_as_tensors_or_not_at_all(hubert, tmp_path, capsys):
    folder = tmp_path / "m"
    folder.mkdir()
    for name in ("config.json", "preprocessor_config.json"):
        (folder / name).write_bytes((hubert / name).read_bytes())
    torch.save(weights.load(hubert / "model.safetensors"), folder / "pytorch_model.bin")
    sound = noise(tmp_path / "a.wav", 0.2)
    assert run(capsys, folder, sound)[1] == run(capsys, hubert, sound)[1] != ""

    class Trap:
        def __reduce__(self):
            return open, (str(tmp_path / "ran"), "w")

    torch.save({"a": Trap()}, folder / "pytorch_model.bin")
    status, _, err = run(capsys, folder, sound)
    assert status == 2
    assert "cannot be read" in err
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"model_type": "bert"}, "no audio classification"),
        ({"model_type": "made-up"}, "made-up"),
        ({"id2label": {"0": "a", "1": "b"}}, "lacks|id2label|cannot be read"),
    ],
)
def test_other_folders_are_refused(hubert, tmp_path, change, word):
    folder = tmp_path / "m"
    folder.mkdir()
    for path in hubert.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    config = json.loads((folder / "config.json").read_text(encoding="utf-8")) | change
    put(folder / "config.json", json.dumps(config))
    with pytest.raises(foreign.ssl.ModelError, match=word):
        foreign.open_classifier(folder, "cpu")


def test_an_encoder_without_a_head_is_refused(hubert, tmp_path):
    folder = tmp_path / "m"
    folder.mkdir()
    for path in hubert.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    tensors = weights.load(folder / "model.safetensors")
    body = {name: tensor for name, tensor in tensors.items() if name.startswith("hubert.")}
    weights.save(folder / "model.safetensors", body, {"format": "pt"})
    with pytest.raises(foreign.ssl.ModelError, match="without a trained head"):
        foreign.open_classifier(folder, "cpu")


@pytest.mark.parametrize("form", ["table", "json", "csv"])
def test_a_folder_is_classified_in_order_and_in_every_format(trained, tmp_path, capsys, form):
    folder = tmp_path / "in"
    for n in range(40):
        noise(folder / "sub" / f"{n:02d}.wav", 0.1 + 0.01 * (n % 3), n, 8000)
    noise(folder / "音.flac", 0.5, 99)
    put(folder / "sub" / "letter.wav", "no sound")
    put(folder / "notes.txt", "text")
    status, out, err = run(capsys, trained, folder, "--format", form, "--top-k", 2)
    assert status == 2, "one could not be read"
    assert "letter.wav" in err
    names = [str(folder / "音.flac"), *(str(folder / "sub" / f"{n:02d}.wav") for n in range(40))]
    lines = out.splitlines()
    if form == "json":
        found = [json.loads(line) for line in lines]
        assert [one["audio"] for one in found] == names
        assert {len(one["labels"]) for one in found} == {2}
        assert all(a["score"] >= b["score"] for a, b in (one["labels"] for one in found))
    elif form == "csv":
        head, *rows = csv.reader(text.StringIO(out))
        assert head == ["audio", "duration", "label_1", "score_1", "label_2", "score_2"]
        assert [row[0] for row in rows] == names
    else:
        assert [line.partition("\t")[0] for line in lines] == names
        assert " %" in lines[0]


def test_command_line_and_python_agree_on_short_and_long_sounds(trained, tmp_path, capsys):
    paths = [noise(tmp_path / f"{n}.wav", seconds, n, 8000) for n, seconds in enumerate((0.2, 1.7, 33.0))]
    _, out, _ = run(capsys, trained, *paths, "--format", "json")
    runner = foreign.open_classifier(trained, "cpu")
    for line, path in zip(out.splitlines(), paths, strict=True):
        result = runner(Request(path))
        assert json.loads(line)["labels"] == [
            {"label": one.label, "score": pytest.approx(one.score, abs=2e-5)} for one in result.labels
        ]


def test_a_file_is_written_whole_and_not_over_another(trained, tmp_path, capsys):
    sound = noise(tmp_path / "a.wav", 0.2)
    words = (trained, sound, "--format", "csv", "--output", tmp_path / "out.csv")
    assert run(capsys, *words)[0] == 0
    assert len((tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()) == 2
    status, _, err = run(capsys, *words)
    assert (status, "--force" in err) == (2, True)
    assert run(capsys, *words, "--force")[0] == 0


def test_sounds_from_standard_input_and_from_an_address(trained, tmp_path, capsys, monkeypatch):
    short, long = noise(tmp_path / "a.wav", 0.3), noise(tmp_path / "b.wav", 31.0, 1, 8000)
    _, wanted, _ = run(capsys, trained, short, long, "--format", "json")
    wanted = [json.loads(line)["labels"] for line in wanted.splitlines()]
    for path, labels in zip((short, long), wanted, strict=True):
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=text.BytesIO(path.read_bytes())))
        status, out, err = run(capsys, trained, "-", "--format", "json")
        assert status == 0, err
        assert json.loads(out)["labels"] == labels
    with serving({"/a.wav": short.read_bytes(), "/b.wav": long.read_bytes(), "/page": b"<html></html>"}) as server:
        urls = [f"{server.url}/{name}" for name in ("a.wav", "gone.wav", "b.wav", "page")]
        status, out, err = run(capsys, trained, *urls, "--format", "json")
        assert status == 2
        assert "404" in err
        assert "a page" in err
        assert [json.loads(line)["labels"] for line in out.splitlines()] == wanted
        assert server.asked.count("/b.wav") == 1
        status, _, err = run(capsys, trained, f"{server.url}/b.wav", "--max-megabytes", "0.1")
        assert (status, "0.1 MiB" in err) == (2, True)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "no sounds given"),
        (("-", "-"), "twice"),
        (("file:///etc/passwd",), "only http"),
        (("gone.wav",), "gone.wav"),
        (("{empty}",), "no sound in this folder"),
    ],
)
def test_what_cannot_be_heard_is_one_message(trained, tmp_path, capsys, words, told):
    (tmp_path / "empty").mkdir()
    status, out, err = run(capsys, trained, *(word.format(empty=tmp_path / "empty") for word in words))
    assert (status, out) == (2, "")
    assert told in err
    assert "Traceback" not in err


def test_an_empty_standard_input_is_named(trained, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=text.BytesIO(b"")))
    status, _, err = run(capsys, trained, "-")
    assert (status, "empty" in err) == (2, True)


def test_memory_holds_two_batches_however_many_sounds_there_are(trained, tmp_path, monkeypatch):
    from onsei.data.download import Limits
    from onsei.systems.classification.sounds import Given

    for n in range(200):
        noise(tmp_path / f"{n:03d}.wav", 0.05, n, 8000)
    opened, load = [], io.load
    monkeypatch.setattr(classify.io, "load", lambda *args, **kwargs: (opened.append(1), load(*args, **kwargs))[1])
    runner = foreign.open_classifier(trained, "cpu")
    heard = classify.classified(runner, Given([str(tmp_path)], Limits()), 1)
    for done in range(1, 201):
        next(heard)
        assert len(opened) <= done + 3 * classify._TOGETHER
    assert next(heard, None) is None
