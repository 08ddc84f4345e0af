"""`train --finetune`: from models and runs, to other alphabets, without repeating the network's options."""

import json
from dataclasses import replace

import pytest
import torch

from onsei.hub import store
from tests.commands import assert_refused
from tests.recognition.corpus import command, rows, train, write


def finetune(capsys, source, manifest_path, run, *words):
    """Without a recipe: the network's options are those of the source."""
    where = ("--train-manifest", manifest_path, "--output-dir", run, "--continue-from", source, "--finetune")
    clock = ("--max-steps", "1", "--num-workers", "0", "--device", "cpu", "--lr", "1e-9", "--silent")
    return command(capsys, "train", *where, *clock, *words)


@pytest.fixture
def labels(tmp_path):
    """The alphabet of the corpus in another order, without O and with three letters more."""
    path = tmp_path / "labels.json"
    path.write_text(json.dumps(list("_ÉIEAÜ Z")), encoding="utf-8")
    return path


def test_a_new_alphabet_keeps_the_rows_of_the_letters_it_shares(capsys, model, corpus, labels, tmp_path):
    chosen = [row for row in rows(corpus, 40) if "O" not in row.text][:4]
    answer = finetune(capsys, model, write(tmp_path, chosen), tmp_path / "new", "--labels-path", labels)
    assert answer.status == 0, answer.err
    assert "5 of 8 labels kept, new: 'É' 'Ü' 'Z', dropped: 'O'" in answer.err
    old, new = (store.open(folder) for folder in (model, tmp_path / "new"))
    (name,) = [name for name, tensor in new.weights().items() if tensor.shape[:1] == (8,)]
    for label in "_IEA ":
        ours, theirs = (m.weights()[name][m.labels.index(label)] for m in (new, old))
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=0)
    assert new.config["model"] == old.config["model"]
    assert new.history["finetuned_from"] == str(model)
    assert "began with the weights of" in (tmp_path / "new" / "README.md").read_text(encoding="utf-8")


def test_labels_read_off_the_new_transcripts_take_the_place_of_the_models(capsys, model, corpus, tmp_path):
    path = write(tmp_path, [replace(row, text="EI EA ZE") for row in rows(corpus, 2)])
    answer = finetune(capsys, model, path, tmp_path / "new", "--labels-from-data")
    assert answer.status == 0, answer.err
    assert "5 of 6 labels kept, new: 'Z', dropped: 'O'" in answer.err


def test_a_model_folder_alone_brings_its_network_features_and_labels(capsys, model, corpus, tmp_path):
    alone = tmp_path / "model"
    alone.mkdir()
    for name in ("onsei.json", "model.safetensors"):
        (alone / name).write_bytes((model / name).read_bytes())
    answer = finetune(capsys, alone, write(tmp_path, rows(corpus, 4)), tmp_path / "new")
    assert answer.status == 0, answer.err
    old, new = (store.open(folder) for folder in (alone, tmp_path / "new"))
    assert (new.config, new.labels) == (old.config, old.labels)
    assert f"{len(old.labels)} of {len(old.labels)} labels kept" in answer.err


def test_another_network_is_refused_with_the_names_that_differ(capsys, model, corpus, tmp_path):
    path = write(tmp_path, rows(corpus, 4))
    answer = finetune(capsys, model, path, tmp_path / "new", "--hidden-size", "9")
    assert_refused(answer, "another network", "shape")
    assert not (tmp_path / "new" / "metrics.jsonl").exists()


def test_a_checkpoint_of_deepspeech_pytorch_is_sent_to_import(capsys, corpus, recipe, tmp_path):
    file = tmp_path / "deepspeech_checkpoint_epoch_3_iter_500.pth"
    file.write_bytes(b"\x80\x02}q\x00")
    path = write(tmp_path, rows(corpus, 2))
    for words in ((), ("--finetune",)):
        answer = train(capsys, recipe, path, tmp_path / "run", "--continue-from", file, *words)
        assert_refused(answer, f"onsei recognition import {file} --output-dir DIR", "--finetune")
