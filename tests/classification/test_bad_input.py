import json
from dataclasses import replace

import numpy as np
import pytest
import torch

import onsei
from onsei.config import from_recipe
from onsei.errors import AudioError, ModelError
from onsei.systems.classification.config import Data, Train
from onsei.systems.classification.data.example import RATE
from onsei.systems.classification.dryrun import dry_run, noise
from tests.classification import encoders
from tests.classification.sounds import command, labeled, rows, save, train, write
from tests.commands import assert_refused
from tests.runs import facts, quarantined


def test_silent_and_very_short_sounds_are_learned_from_and_broken_ones_left_out(capsys, recipe, corpus, tmp_path):
    chosen = rows(corpus)
    silent, short, broken = (tmp_path / f"{name}.wav" for name in ("silent", "short", "broken"))
    save(silent, np.zeros(RATE))
    save(short, np.random.default_rng(0).uniform(-0.5, 0.5, RATE // 10))
    broken.write_text("no sound", encoding="utf-8")
    more = [
        replace(chosen[n], id=path.stem, audio=path, duration=None) for n, path in enumerate((silent, short, broken))
    ]
    answer = train(capsys, recipe, write(corpus, [*chosen, *more], "odd.jsonl"), tmp_path / "run")
    assert answer.status == 0, answer.err
    assert set(quarantined(tmp_path / "run")) == {"broken"}
    assert np.isfinite(onsei.load(tmp_path / "run").probabilities([np.zeros(RATE, np.float32)])).all()


def test_a_class_with_one_sound_is_told_and_trained(capsys, recipe, corpus, tmp_path):
    chosen = [*rows(corpus), replace(rows(corpus)[0], id="lone", label="lone")]
    answer = train(capsys, recipe, write(corpus, chosen, "lone.jsonl"), tmp_path / "run")
    assert answer.status == 0, answer.err
    assert "one sound only" in answer.out
    assert facts(tmp_path / "run")["labels"] == ["chirp", "hum", "lone", "noise"]


def test_validation_rows_of_unknown_classes_are_refused(capsys, recipe, corpus, tmp_path):
    other = write(corpus, labeled(rows(corpus, 3), ["hum", "siren", "noise"]), "other.jsonl")
    answer = train(capsys, recipe, corpus / "train.jsonl", tmp_path / "run", "--val-manifest", other)
    assert_refused(answer, "other.jsonl", "'siren'")
    assert not (tmp_path / "run").exists()


def test_a_run_whose_every_sound_is_broken_saves_no_model(capsys, recipe, corpus, tmp_path):
    broken = tmp_path / "broken.wav"
    broken.write_text("no sound", encoding="utf-8")
    chosen = [replace(row, audio=broken) for row in rows(corpus)]
    answer = train(capsys, recipe, write(corpus, chosen, "broken.jsonl"), tmp_path / "run")
    assert answer.status == 2
    assert not (tmp_path / "run" / "onsei.json").exists()


@pytest.mark.parametrize(("words", "named"), [(("--output-dir", "run"), "train_manifest"), ((), "required")])
def test_training_without_data_or_folder_is_refused(capsys, recipe, words, named):
    assert_refused(command(capsys, "train", recipe, *words), named)


def copied(model, folder):
    folder.mkdir()
    for file in model.iterdir():
        if file.is_file():
            (folder / file.name).write_bytes(file.read_bytes())
    return folder


def test_a_class_list_that_does_not_match_the_weights_is_refused(model, tmp_path):
    folder = copied(model, tmp_path / "copy")
    entry = facts(folder)
    (folder / "onsei.json").write_text(json.dumps({**entry, "labels": [*entry["labels"], "more"]}), encoding="utf-8")
    with pytest.raises(ModelError, match="does not fit"):
        onsei.load(folder)
    (folder / "onsei.json").write_text(json.dumps({**entry, "labels": ["one"]}), encoding="utf-8")
    with pytest.raises(ModelError, match="two labels"):
        onsei.load(folder)


def test_going_on_with_other_classes_is_refused_and_finetuning_keeps_what_both_have(capsys, recipe, corpus, tmp_path):
    first = tmp_path / "run"
    assert train(capsys, recipe, corpus / "val.jsonl", first).status == 0
    relabeled = [replace(row, label=row.label.replace("hum", "buzz")) for row in rows(corpus)]
    other = write(corpus, relabeled, "relabeled.jsonl")
    answer = train(capsys, recipe, other, first, "--continue-from", first, "--epochs", "2")
    assert_refused(answer, "labels")
    source = ("--continue-from", first, "--finetune", "--no-silent")
    answer = train(capsys, recipe, other, tmp_path / "tuned", *source)
    assert answer.status == 0, answer.err
    assert "2 of 3 labels kept" in answer.out + answer.err
    assert facts(tmp_path / "tuned")["labels"] == ["buzz", "chirp", "noise"]


def test_an_empty_sound_is_refused(runner):
    with pytest.raises(AudioError, match="sound 1"):
        runner.probabilities([np.zeros(10, np.float32), np.zeros(0, np.float32)])
    assert runner.probabilities([]).shape == (0, 3)


def test_a_long_sound_is_heard_in_pieces_that_vote(runner, tmp_path):
    random = np.random.default_rng(0)
    rate, piece = runner.sample_rate, runner.features.samples
    sound = (0.1 * random.standard_normal(5 * piece)).astype(np.float32)
    parts = [sound[n * piece : (n + 1) * piece] for n in range(5)]
    np.testing.assert_allclose(runner.probabilities([sound])[0], runner.probabilities(parts).mean(0), atol=1e-6)
    from onsei.systems.classification.config import Request

    path = save(tmp_path / "long.wav", sound, rate)
    assert runner(Request(path)).labels[0].label == runner.labels[int(runner.probabilities([sound])[0].argmax())]
    assert len(runner(Request(path, top_k=99)).labels) == 3


def test_the_dry_run_of_the_courses_recipe_builds_its_network_without_weights(capsys):
    answer = command(capsys, "train", "gtzan", "--dry-run", "--seconds", "0.5", "--batch-size", "1", "--device", "cpu")
    assert answer.status == 0, answer.err
    assert "23.69 M parameters" in answer.out
    assert "one step: " in answer.out
    assert "peak memory" in answer.out


def test_a_dry_run_hears_copies_where_training_would(capsys):
    words = ("--agreement", "0.5", "--batch-size", "3", "--seconds", "0.5", "--model.recurrent", "8", "--device", "cpu")
    answer = command(capsys, "train", "base", "--dry-run", *words)
    assert answer.status == 0, answer.err
    options = Train(agreement=0.5, data=Data(batch_size=3))
    assert noise(options, 2).owners.tolist() == [0, 0, 1, 1, 2, 2]
    assert len(noise(options, 2).features) == 6
    assert len(noise(replace(options, agreement=0), 2).features) == 3


def test_a_dry_run_takes_what_is_frozen_into_account(tmp_path):
    folder = encoders.hubert(tmp_path / "encoder")
    recipe = tmp_path / "mine.yaml"
    recipe.write_text(
        f"features: {{kind: wave, sample_rate: 16000, seconds: 0.5}}\n"
        f"encoder: {{pretrained: {json.dumps(str(folder))}, freeze: all}}\ndata: {{batch_size: 2}}\n",
        encoding="utf-8",
    )
    found = dry_run(replace(from_recipe(Train, recipe), train_manifest=None, output_dir=None))
    assert 0 < found["trained"] < found["parameters"]
    assert found["step_seconds"] > 0
    assert torch.get_num_threads() >= 1


@pytest.mark.parametrize("threads", [1, 3])
def test_many_sounds_of_many_lengths_are_heard_as_alone(runner, threads):
    before = torch.get_num_threads()
    draw = np.random.default_rng(0)
    piece = runner.features.samples
    lengths = draw.choice([1, piece // 3, piece, piece, 3 * piece], 120)  # enough for a part on each of three threads
    sounds = [(0.1 * draw.standard_normal(length)).astype(np.float32) for length in lengths]
    alone = np.concatenate([runner.probabilities([sound]) for sound in sounds])
    torch.set_num_threads(threads)
    try:
        np.testing.assert_allclose(runner.probabilities(sounds), alone, atol=1e-5)
    finally:
        torch.set_num_threads(before)
