"""What training hears: stored features, segments, caches, augmentation, workers, other manifests."""

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from onsei.audio import augment as change
from onsei.audio import io
from onsei.data.cache import FeatureCache
from onsei.data.loader import Draw, Loader
from onsei.data.manifest import Manifest
from onsei.systems.recognition.config import Augment, Data, Features
from onsei.systems.recognition.data import Preparation, batches, source
from onsei.systems.recognition.data.example import RATE
from onsei.text.alphabet import Alphabet
from tests.commands import assert_refused
from tests.recognition.corpus import SHARED, command, rows, sound, steps, train, write


def test_stored_features_train_and_evaluate_but_hear_no_files(capsys, corpus, recipe, tmp_path):
    chosen = rows(corpus, 6)
    random = np.random.default_rng(0)
    np.savez(tmp_path / "f.npz", **{row.id: random.standard_normal((120, 13)).astype(np.float32) for row in chosen})
    stored = [replace(row, audio=None, features=f"{tmp_path / 'f.npz'}#{row.id}", duration=1.2) for row in chosen]
    path = write(tmp_path, stored)
    answer = train(capsys, recipe, path, tmp_path / "run", "--val-manifest", path, "--kind", "precomputed")
    assert answer.status == 0, answer.err
    numbers = tmp_path / "numbers.json"
    words = ("--test-manifest", path, "--json", numbers, "--num-workers", "0", "--device", "cpu")
    assert command(capsys, "evaluate", tmp_path / "run", *words).status == 0
    assert json.loads(numbers.read_text())["utterances"] == 6
    answer = command(capsys, "transcribe", tmp_path / "run", chosen[0].audio, "--device", "cpu")
    assert_refused(answer, "precomputed features")


@pytest.mark.parametrize("bins", [20, 21])
def test_features_of_few_rows_train(bins, capsys, corpus, recipe, tmp_path):
    chosen = rows(corpus, 4)
    np.savez(tmp_path / "f.npz", **{r.id: np.random.default_rng(0).standard_normal((100, bins)) for r in chosen})
    stored = [replace(r, audio=None, features=f"{tmp_path / 'f.npz'}#{r.id}", duration=1.0) for r in chosen]
    answer = train(capsys, recipe, write(tmp_path, stored), tmp_path / "run", "--kind", "precomputed")
    assert answer.status == 0, answer.err


@pytest.mark.skipif(not (SHARED / "an4_mfcc").is_dir(), reason="no AN4 features here")
def test_an4_features_train(capsys, recipe, tmp_path):
    opened = Manifest.open(SHARED / "an4_mfcc" / "dev.jsonl")
    path = write(tmp_path, [opened[n] for n in range(6)])
    labels = tmp_path / "english.json"
    labels.write_text(json.dumps(list("_'ABCDEFGHIJKLMNOPQRSTUVWXYZ ")))
    words = ("--kind", "precomputed", "--labels-path", labels, "--case", "upper")
    answer = train(capsys, recipe, path, tmp_path / "run", *words)
    assert answer.status == 0, answer.err
    assert len(steps(tmp_path / "run")) == 3


def test_segments_and_channels_hear_only_themselves(capsys, corpus, recipe, tmp_path):
    whole = rows(corpus, 5)
    sounds = [sound(row.audio) for row in whole]
    mixed = np.concatenate(sounds)
    io.save(tmp_path / "all.wav", np.stack([mixed[::-1], mixed]), RATE)
    starts = np.cumsum([0, *map(len, sounds)]) / RATE
    parts = [
        replace(row, audio=tmp_path / "all.wav", offset=float(start), duration=len(s) / RATE, channel=1)
        for row, start, s in zip(whole, starts, sounds, strict=False)
    ]
    for name, chosen in (("whole", whole), ("parts", parts)):
        path = write(tmp_path, chosen, f"{name}.jsonl")
        assert train(capsys, recipe, path, tmp_path / name, "--val-manifest", path).status == 0
    assert steps(tmp_path / "parts") == steps(tmp_path / "whole")


def test_a_second_run_reads_the_feature_cache_and_loses_no_bit(capsys, corpus, recipe, tmp_path, monkeypatch):
    path = write(tmp_path, rows(corpus, 4))
    cache = ("--feature-cache", tmp_path / "features")
    assert train(capsys, recipe, path, tmp_path / "plain").status == 0
    assert train(capsys, recipe, path, tmp_path / "first", *cache).status == 0
    monkeypatch.setattr(batches.FrontEnd, "__call__", lambda *_: pytest.fail("computed again"))
    assert train(capsys, recipe, path, tmp_path / "second", *cache).status == 0
    assert steps(tmp_path / "first") == steps(tmp_path / "second") == steps(tmp_path / "plain")


def test_the_cache_is_refused_where_sounds_change(capsys, corpus, recipe, tmp_path):
    path = write(tmp_path, rows(corpus, 4))
    words = ("--feature-cache", tmp_path / "features", "--augment.speed", "0.1")
    assert_refused(train(capsys, recipe, path, tmp_path / "run", *words), "feature_cache", "augment.speed")
    assert not (tmp_path / "features").exists()


def test_training_is_augmented_and_validation_never(capsys, corpus, recipe, tmp_path, monkeypatch):
    changed = []
    speed = change.speed
    monkeypatch.setattr(change, "speed", lambda *a, **k: changed.append(1) or speed(*a, **k))
    path, val = write(tmp_path, rows(corpus, 4)), write(tmp_path, rows(corpus, 3, "val"), "val.jsonl")
    words = ("--val-manifest", val, "--augment.speed", "0.1", "--epochs", "2")
    assert train(capsys, recipe, path, tmp_path / "run", *words).status == 0
    assert len(changed) == 4 * 2


def every_batch(corpus, tmp_path, workers, augment):
    manifest = Manifest.open(write(tmp_path, rows(corpus, 9)))
    preparation = Preparation(Alphabet(tuple("_AEIO "), "keep"), Features(sample_rate=RATE), augment)
    loader = source(manifest, preparation, Data(batch_size=2), seed=5, training=True, workers=workers)
    found = [(batch.ids, batch.features) for batch in loader.batches(1)]
    loader.close()
    return found


def test_augmentation_is_the_same_for_any_number_of_workers(corpus, tmp_path):
    augment = Augment(speed=0.1, gain=6, shift=0.05, noise_prob=0.5, freq_masks=2, time_masks=2)
    alone = every_batch(corpus, tmp_path, 0, augment)
    plain = every_batch(corpus, tmp_path, 0, None)
    assert not all(a.shape == p.shape and torch.equal(a, p) for (_, a), (_, p) in zip(alone, plain, strict=True))
    for workers in (1, 2):
        for (ids, features), (others, theirs) in zip(
            alone, every_batch(corpus, tmp_path, workers, augment), strict=True
        ):
            assert ids == others
            assert torch.equal(features, theirs)


def test_tempo_looks_at_the_sound_itself_where_it_is_transformed_anyway(corpus, tmp_path):
    """Nearly as from kept features, whose frames are mixed of two; the same where nothing moves."""
    row, alphabet = rows(corpus)[0], Alphabet(tuple("_AEIO "), "keep")
    features, cache = Features(sample_rate=RATE), FeatureCache(tmp_path / "cache", {})
    found = {}
    for name, augment in {"moved": Augment(tempo=0.2, time_warp=5), "plain": Augment()}.items():
        exact = Preparation(alphabet, features, augment)(row, Draw(0, 1, row.id)).features
        kept = Preparation(alphabet, features, augment, cache)(row, Draw(0, 1, row.id)).features
        assert exact.shape == kept.shape
        found[name] = float((exact - kept).abs().mean())
        assert float(exact.mean().abs()) < 1e-4
        assert float(exact.std()) == pytest.approx(1, abs=1e-3)
    assert found["plain"] < 1e-5
    assert 1e-4 < found["moved"] < 0.3


def test_a_csv_manifest_without_durations_trains_and_is_measured(capsys, corpus, recipe, tmp_path):
    lines = []
    for row in rows(corpus, 4):
        text = tmp_path / "txt" / f"{row.id}.txt"
        text.parent.mkdir(exist_ok=True)
        text.write_text(row.text + "\n", encoding="utf-8")
        lines.append(f"{row.audio},txt/{row.id}.txt\n")
    path = tmp_path / "train.csv"
    path.write_text("".join(lines), encoding="utf-8")
    assert train(capsys, recipe, path, tmp_path / "run", "--val-manifest", path).status == 0
    words = ("--test-manifest", path, "--json", tmp_path / "n.json", "--num-workers", "0", "--device", "cpu")
    assert command(capsys, "evaluate", tmp_path / "run", *words).status == 0
    heard = sum(row.duration for row in rows(corpus, 4))
    assert json.loads((tmp_path / "n.json").read_text())["audio_seconds"] == pytest.approx(heard, abs=0.1)


def test_backslashes_and_japanese_folders_train_with_spawned_workers(capsys, corpus, recipe, tmp_path, monkeypatch):
    folder = tmp_path / "日本語 データ"
    for row in rows(corpus, 4):
        io.save(folder / "音声" / row.audio.name, sound(row.audio), RATE)
    lines = [{"audio": f"音声\\{r.audio.name}", "text": r.text, "duration": r.duration} for r in rows(corpus, 4)]
    path = folder / "訓練.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    monkeypatch.setattr(batches, "Loader", partial(Loader, start_method="spawn"))
    answer = train(capsys, recipe, path, folder / "結果", "--num-workers", "1")
    assert answer.status == 0, answer.err
    assert len(steps(folder / "結果")) == 2
    assert not Path(folder / "結果" / "quarantine.jsonl").read_text()


def test_word_labels_train_evaluate_and_transcribe(capsys, corpus, recipe, tmp_path):
    chosen = rows(corpus, 6)
    known = sorted({word for row in chosen for word in row.text.split()})
    labels = tmp_path / "words.json"
    labels.write_text(json.dumps(["_", *known]))
    path = write(tmp_path, chosen)
    words = ("--units", "words", "--labels-path", labels, "--lr", "0.1", "--epochs", "2")
    assert train(capsys, recipe, path, tmp_path / "run", *words).status == 0
    table = ("--test-manifest", path, "--table", tmp_path / "t.jsonl", "--num-workers", "0", "--device", "cpu")
    assert command(capsys, "evaluate", tmp_path / "run", *table).status == 0
    found = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text().splitlines()]
    assert sorted(row["reference"] for row in found) == sorted(row.text for row in chosen)
    assert {word for row in found for word in row["hypothesis"].split()} <= set(known)
    answer = command(capsys, "transcribe", tmp_path / "run", chosen[0].audio, "--format", "json", "--device", "cpu")
    heard = json.loads(answer.out)
    assert heard["text"].split() == [word["text"] for word in heard["words"]]
