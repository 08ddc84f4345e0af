import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch

from onsei.data.loader import Draw
from onsei.data.manifest import Manifest
from onsei.errors import ConfigError, DataError
from onsei.systems.classification.config import Augment, Data, Features
from onsei.systems.classification.data import Preparation, cache_for, classes_of, collate, memory_for, source, told
from onsei.systems.classification.data.example import KINDS, RATE
from tests.classification.sounds import labeled, rows, save, write

FEATURES = Features(sample_rate=RATE, seconds=0.3, n_mels=12)
CLASSES = {name: number for number, name in enumerate(KINDS)}
ALL = Augment(shift=1.0, tempo=0.2, warp=0.1, tilt=0.3, freq_masks=1, freq_width=3, time_masks=2)


def test_training_hears_one_random_piece_and_validation_all(corpus):
    row = rows(corpus)[0]
    training, checking = Preparation(CLASSES, FEATURES, Augment()), Preparation(CLASSES, FEATURES)
    first, again, later = (training(row, Draw(1, epoch, row.id)).pieces for epoch in (0, 0, 1))
    assert len(first) == 1
    assert first[0].shape == (12, training.front.piece)
    assert torch.equal(first[0], again[0])
    assert not torch.equal(first[0], later[0])
    assert len(checking(row, Draw(1, 0, row.id)).pieces) == -(-round(row.duration * RATE) // FEATURES.samples)


def test_changes_are_the_same_for_a_row_in_an_epoch_and_others_in_another(corpus):
    row = rows(corpus)[1]
    one, other = (Preparation(CLASSES, FEATURES, ALL)(row, Draw(1, 0, row.id)).pieces[0] for _ in range(2))
    assert torch.equal(one, other)
    assert torch.isfinite(one).all()
    plain = Preparation(CLASSES, FEATURES, Augment())(row, Draw(1, 0, row.id)).pieces[0]
    assert not torch.equal(one, plain)


def test_copies_of_a_sound_are_changed_each_in_its_own_way(corpus):
    row = rows(corpus)[1]
    alone = Preparation(CLASSES, FEATURES, ALL)(row, Draw(1, 0, row.id)).pieces
    (first, second), again = (
        Preparation(CLASSES, FEATURES, ALL, twins=True)(row, Draw(1, 0, row.id)).pieces for _ in range(2)
    )
    assert torch.equal(first, alone[0])
    assert not torch.equal(first, second)
    assert torch.equal(second, again[1])
    item = Preparation(CLASSES, FEATURES, ALL, twins=True)(row, Draw(1, 1, row.id))
    assert collate([item, item], []).owners.tolist() == [0, 0, 1, 1]


SOUNDS = replace(ALL, speed=0.2, trim=0.3, noise_prob=0.7)


def test_changed_sounds_are_other_sounds_in_every_epoch_and_cannot_be_kept(corpus, tmp_path):
    row = rows(corpus)[0]
    for options in (Augment(speed=0.2), Augment(trim=0.5), Augment(noise_prob=1, noise_snr_max=5)):
        prepare = Preparation(CLASSES, replace(FEATURES, seconds=2), options)
        one, same, other = (prepare(row, Draw(1, epoch, row.id)).pieces[0] for epoch in (0, 0, 1))
        assert torch.equal(one, same)
        assert one.shape != other.shape or not torch.equal(one, other)
        with pytest.raises(ConfigError, match="feature_cache"):
            cache_for(FEATURES, Data(feature_cache=tmp_path), options)
    with pytest.raises(ConfigError, match="noise_snr_min is 20"):
        Preparation(CLASSES, FEATURES, Augment(noise_snr_min=20, noise_snr_max=10))
    with pytest.raises(ConfigError, match=r"augment\.speed, augment\.noise_prob"):
        Preparation(CLASSES, replace(FEATURES, kind="wave"), Augment(speed=0.1, noise_prob=0.1))


@pytest.mark.parametrize("augment", [ALL, SOUNDS])
def test_what_is_kept_in_memory_or_on_disk_changes_nothing(corpus, tmp_path, augment):
    kept = Preparation(CLASSES, FEATURES, augment, None, memory_for(Data(memory=1)))
    cache = cache_for(FEATURES, Data(feature_cache=tmp_path), ALL) if augment is ALL else None
    cached = Preparation(CLASSES, FEATURES, augment, cache)
    bare = Preparation(CLASSES, FEATURES, augment)
    for epoch in range(2):
        for row in rows(corpus, 3):
            expected = bare(row, Draw(1, epoch, row.id)).pieces[0]
            for other in (kept, cached):
                assert torch.equal(other(row, Draw(1, epoch, row.id)).pieces[0], expected)
    assert len(kept.memory.kept) == 3
    assert pickle.loads(pickle.dumps(kept)).memory.kept == {}


def test_memory_keeps_no_more_than_it_may(corpus):
    memory = memory_for(Data(memory=0.005))
    prepare = Preparation(CLASSES, FEATURES, Augment(), None, memory)
    for row in rows(corpus):
        prepare(row, Draw(1, 0, row.id))
    assert 0 < len(memory.kept) < 9
    assert sum(x.nbytes for x in memory.kept.values()) == memory.used <= 0.005 * 2**20


def test_batches_hold_every_row_once_and_pad_with_zeros(corpus):
    manifest = Manifest.open(corpus / "val.jsonl")
    batches = list(
        source(manifest, Preparation(CLASSES, FEATURES), Data(batch_size=4), seed=0, training=False).batches(0)
    )
    assert sorted(name for batch in batches for name in batch.ids) == sorted(row.id for row in manifest)
    for batch in batches:
        assert batch.owners.tolist() == sorted(batch.owners.tolist())
        assert set(batch.owners.tolist()) == set(range(batch.size))
        for piece, length in zip(batch.features, batch.lengths.tolist(), strict=True):
            assert not piece[:, length:].any()


def test_a_batch_may_be_empty():
    assert collate([], []).size == 0


def test_classes_are_those_of_the_rows_in_order(corpus):
    names, counts = classes_of(Manifest.open(corpus / "train.jsonl"))
    assert names == KINDS
    assert set(counts.values()) == {20}
    assert classes_of(Manifest.open(corpus / "train.jsonl"), KINDS[::-1])[0] == KINDS[::-1]


def test_a_class_with_one_sound_is_told(corpus, tmp_path):
    manifest = Manifest.open(write(tmp_path, labeled(rows(corpus, 5), ["a", "a", "b", "c", "c"])))
    names, counts = classes_of(manifest, ("a", "b", "c", "d"))
    assert told(manifest, names, counts).count("'b'") == 1
    assert "'d'" in told(manifest, names, counts)
    assert not told(manifest, ("a", "c"), counts)


@pytest.mark.parametrize(
    ("labels", "given", "error", "words"),
    [
        (["Dog", "dog", "cat"], (), DataError, "'Dog' and 'dog'"),
        (["dog ", "dog", "cat"], (), DataError, "spaces"),
        (["dog", "dog", "dog"], (), DataError, "two classes"),
        (["dog", None, "cat"], (), DataError, "1 of 3 rows have no label"),
        (["dog", "cat", "cow"], ("dog", "cat"), ConfigError, "'cow'"),
        (["dog", "cat", "cat"], ("dog", "cat", "dog"), ConfigError, "named twice: 'dog'"),
    ],
)
def test_labels_that_cannot_be_classes_are_refused(corpus, tmp_path, labels, given, error, words):
    manifest = Manifest.open(write(tmp_path, labeled(rows(corpus, 3), labels)))
    with pytest.raises(error, match=words):
        classes_of(manifest, given)


@pytest.mark.parametrize(
    ("features", "augment", "named"),
    [
        (Features(kind="wave"), Augment(warp=0.1, freq_masks=1), "augment.warp, augment.freq_masks"),
        (Features(), Augment(gain=6.0), r"augment\.gain"),
        (Features(), Augment(tempo=1.0), r"augment\.tempo"),
        (Features(), Augment(tilt=0.1, tilt_knots=1), "tilt_knots"),
    ],
)
def test_changes_that_these_features_do_not_have_are_refused(features, augment, named):
    with pytest.raises(ConfigError, match=named):
        Preparation(CLASSES, features, augment)


def test_very_short_and_silent_sounds_can_be_heard(tmp_path, corpus):
    row = rows(corpus)[0]
    random = np.random.default_rng(0)
    for name, samples in (("short", random.uniform(-1, 1, RATE // 10)), ("one", [0.5]), ("silent", np.zeros(RATE))):
        item = Preparation(CLASSES, FEATURES, ALL)(
            replace(row, id=name, audio=save(tmp_path / f"{name}.wav", samples)), Draw(1, 0, name)
        )
        assert torch.isfinite(item.pieces[0]).all()
