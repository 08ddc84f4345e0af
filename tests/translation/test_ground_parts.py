"""The parts of grounding: the unit network, the loss, rows and their augmentation."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from onsei.data.loader import Draw
from onsei.data.manifest import Manifest
from onsei.errors import DataError
from onsei.systems.translation.config.ground import (
    Contrast,
    Ground,
    GroundOptimizer,
    ImageNetwork,
    UnitAugment,
    UnitNetwork,
)
from onsei.systems.translation.ground import alike
from onsei.systems.translation.ground.alike import BINS, AlikeSampler, clusters, histogram
from onsei.systems.translation.ground.contrast import contrastive_loss
from onsei.systems.translation.ground.data import Batch, augmented, padded
from onsei.systems.translation.ground.encoder import FIRST, UnitEncoder
from onsei.systems.translation.ground.learner import Grounding, sums
from onsei.systems.translation.ground.model import SemanticCore
from onsei.systems.translation.ground.rows import check_fit, open_encoded, part_off, shared, units_of
from onsei.systems.translation.images import built
from onsei.training.learner import Clock
from tests.translation import letters

KINDS = ("gru", "lstm", "transformer")


def unit_vectors(count, size, seed=0):
    return torch.nn.functional.normalize(
        torch.randn(count, size, generator=torch.Generator().manual_seed(seed)), dim=-1
    )


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=15, deadline=None)
@given(lengths=st.lists(st.integers(1, 40), min_size=1, max_size=5), convolutions=st.integers(0, 3))
def test_a_clip_alone_is_what_it_is_in_a_batch(kind, lengths, convolutions):
    torch.manual_seed(0)
    encoder = UnitEncoder(9, UnitNetwork(kind=kind, width=8, heads=2, convolutions=convolutions)).eval()
    clips = [torch.randint(FIRST, 9 + FIRST, (length,)) for length in lengths]
    units, counts = padded(clips)
    states, found = encoder(units, counts)
    assert found.tolist() == encoder.states(counts).tolist()
    for number, clip in enumerate(clips):
        alone, count = encoder(clip[None], torch.tensor([len(clip)]))
        assert count.item() == found[number] == alone.shape[1] >= 1
        torch.testing.assert_close(states[number, : found[number]], alone[0], atol=1e-5, rtol=1e-4)
        assert not states[number, found[number] :].any()


def test_unit_0_is_heard_and_padding_is_not():
    encoder = UnitEncoder(5, UnitNetwork(width=8, heads=2)).eval()
    first, second = (encoder(torch.tensor([[unit + FIRST] * 6]), torch.tensor([6]))[0] for unit in (0, 1))
    assert (first - second).abs().max() > 1e-3
    assert encoder.embedding.weight[FIRST].any()


def test_weights_over_the_table_are_as_good_as_numbers():
    encoder = UnitEncoder(5, UnitNetwork(width=8, heads=2)).eval()
    units, lengths = torch.randint(FIRST, 7, (2, 12)), torch.tensor([12, 12])
    soft = torch.nn.functional.one_hot(units, 7).float().requires_grad_()
    states, _ = encoder(soft, lengths)
    torch.testing.assert_close(states, encoder(units, lengths)[0])
    states.square().sum().backward()
    assert soft.grad.abs().max() > 0


def test_the_loss_of_chance_is_the_logarithm_of_the_batch():
    same = torch.ones(8, 4) / 2
    for hard in (0.0, 2.0):
        assert contrastive_loss(same, same, torch.tensor(10.0), hard=hard).item() == pytest.approx(
            math.log(8), abs=1e-5
        )


def test_the_loss_by_hand():
    speech = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    pictures = torch.tensor([[1.0, 0.0], [0.6, 0.8]])
    # similarities: [[1, 0.6], [0, 0.8]], times 2
    rows = [math.log(1 + math.exp(1.2 - 2)), math.log(1 + math.exp(0 - 1.6))]
    columns = [math.log(1 + math.exp(0 - 2)), math.log(1 + math.exp(1.2 - 1.6))]
    expected = (np.mean(rows) + np.mean(columns)) / 2
    assert contrastive_loss(speech, pictures, torch.tensor(2.0)).item() == pytest.approx(expected, abs=1e-6)


def test_one_picture_with_two_clips_is_no_negative():
    speech, pictures = unit_vectors(4, 8), unit_vectors(4, 8, seed=1)
    pictures[1] = pictures[0]
    same = torch.eye(4, dtype=torch.bool)
    same[0, 1] = same[1, 0] = True
    plain, masked = (contrastive_loss(speech, pictures, torch.tensor(9.0), s) for s in (None, same))
    assert masked < plain
    everything = torch.ones(4, 4, dtype=torch.bool)
    assert contrastive_loss(speech, pictures, torch.tensor(9.0), everything, hard=1.0).item() == pytest.approx(
        0, abs=1e-6
    )


def test_hard_negatives_weigh_more():
    speech = unit_vectors(6, 8)
    pictures = torch.nn.functional.normalize(speech + 0.1, dim=-1)
    plain, hard = (contrastive_loss(speech, pictures, torch.tensor(9.0), hard=h) for h in (0.0, 3.0))
    assert hard > plain


def test_a_histogram_is_of_colors_and_not_of_places():
    random = np.random.default_rng(0)
    picture = random.integers(0, 256, (3, 8, 8), dtype=np.uint8)
    moved = picture.reshape(3, -1)[:, random.permutation(64)].reshape(3, 8, 8)
    assert histogram(picture).shape == (BINS,)
    assert (histogram(picture) ** 2).sum() == pytest.approx(1)
    np.testing.assert_array_equal(histogram(picture), histogram(moved))
    white = histogram(np.full((3, 4, 4), 255, np.uint8))
    assert white[-1] == 1
    assert histogram(np.full((3, 4, 4), 212, np.uint8))[-1] == 0


@pytest.mark.parametrize("pairs", [1, 5, 37, 400])
def test_pictures_of_one_color_come_into_one_cluster(pairs, monkeypatch):
    kinds = np.arange(pairs) % 6
    asked = []

    def look(rows):
        asked.append(len(rows))
        return np.stack([histogram(np.full((3, 4, 4), 43 * kinds[row] + 5, np.uint8)) for row in rows])

    found = clusters(look, pairs, 8, seed=0)
    assert found.shape == (pairs,)
    assert asked == [pairs]
    if pairs == 400:  # where more clusters are wanted than there are colors, each color is one
        assert len(set(zip(kinds, found, strict=True))) == len(set(found)) == 6
        monkeypatch.setattr(alike, "_SAMPLE", 150)
        found = clusters(look, pairs, 8, seed=0)
        assert len(set(zip(kinds, found, strict=True))) == len(set(found)) == 6
        assert max(asked[1:]) == 150


@settings(max_examples=40, deadline=None)
@given(
    pairs=st.integers(1, 200),
    kinds=st.integers(1, 30),
    group=st.integers(1, 12),
    size=st.integers(1, 40),
    epoch=st.integers(0, 3),
)
def test_batches_of_like_pictures_hold_each_pair_once(pairs, kinds, group, size, epoch):
    cluster = np.random.default_rng(0).integers(0, kinds, pairs).astype(np.int32)
    sampler = AlikeSampler(cluster, group, batch_size=size, seed=1)
    batches = list(sampler.batches(epoch))
    assert len(batches) == sampler.count(epoch) == -(-pairs // size)
    assert max(map(len, batches)) <= size
    assert max(map(len, batches)) - min(map(len, batches)) <= 1
    assert len(sampler.survey(epoch).largest) == max(map(len, batches))
    order = np.concatenate(batches)
    assert sorted(order) == list(range(pairs))
    runs = 1 + int((np.diff(cluster[order]) != 0).sum())
    assert runs <= sum(-(-count // group) for count in np.bincount(cluster) if count)
    later = list(sampler.batches(epoch, start=len(batches) // 2))
    assert all((one == other).all() for one, other in zip(batches[len(batches) // 2 :], later, strict=True))


def test_groups_are_of_one_cluster_and_change_from_epoch_to_epoch():
    cluster = np.repeat(np.arange(8, dtype=np.int32), 16)
    sampler = AlikeSampler(cluster, 8, batch_size=32, seed=0)
    one, other = (np.concatenate(list(sampler.batches(epoch))) for epoch in (0, 1))
    for order in (one, other):
        assert all(len(set(part)) == 1 for part in cluster[order].reshape(-1, 8))
    groups = [{tuple(sorted(part)) for part in order.reshape(-1, 8)} for order in (one, other)]
    assert groups[0] != groups[1]


def test_recall_is_counted_in_32_bits_whatever_the_networks_compute_in():
    torch.manual_seed(0)
    vectors, same = torch.nn.functional.normalize(torch.randn(40, 8), dim=-1), torch.eye(40, dtype=torch.bool)
    pictures = torch.nn.functional.normalize(vectors + 0.5 * torch.randn(40, 8), dim=-1)
    plain = sums(vectors, pictures, same)
    assert 5 < plain["s2i_r1"][0] / 40 < 95
    with torch.autocast("cpu", torch.bfloat16):
        mixed = sums(vectors, pictures, same)
    assert all((mixed[name] == value).all() for name, value in plain.items())


@pytest.mark.parametrize("chunk", [1, 3, 6])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_gradients_of_chunks_are_those_of_the_whole_batch(chunk, dropout):
    units = UnitNetwork(width=8, heads=2, dropout=dropout)
    options = Ground(embedding_dim=8, units=units, image=ImageNetwork(size=16, width=8, heads=2, layers=1))
    torch.manual_seed(3)
    seeing = built(options.image, 8)
    core = SemanticCore(6, 8, units, options.contrast, seeing.network)
    clips = [torch.randint(FIRST, 8, (length,)) for length in (9, 4, 12, 7, 5, 8, 3)]
    pictures = torch.randint(0, 256, (7, 3, 16, 16), dtype=torch.uint8)
    batch = Batch(tuple("abcdefg"), *padded(clips), pictures, torch.eye(7, dtype=torch.bool))

    def gradients(size):
        core.zero_grad()
        learner = Grounding(core, replace(options, contrast=Contrast(chunk_size=size)), seeing.transform)
        learner.step(batch, Clock(0, 0, 5), lambda name, loss, keep=False: loss.backward())
        return {name: p.grad.clone() for name, p in core.named_parameters() if p.grad is not None}

    if dropout:  # chance is drawn chunk by chunk: the same in both passes over it, so the gradients fit the vectors
        once, again = gradients(chunk), gradients(chunk)
        assert all(torch.equal(once[name], again[name]) for name in once)
        return
    whole, parts = gradients(0), gradients(chunk)
    assert whole.keys() == parts.keys()
    for name, gradient in whole.items():
        torch.testing.assert_close(parts[name], gradient, atol=1e-5, rtol=1e-3)


@given(st.integers(1, 50), st.integers(0, 99))
def test_augmentation_leaves_units_of_the_table_and_follows_the_draw(length, epoch):
    units = np.random.default_rng(0).integers(0, 9, length)
    options = UnitAugment(0.5, 0.9, 2, 6)
    once, again = (augmented(units, 9, options, Draw(0, epoch, "a")) for _ in range(2))
    assert np.array_equal(once, again)
    assert 1 <= len(once) <= length
    assert once.min() >= 1
    assert once.max() < 9 + FIRST
    plain = augmented(units, 9, UnitAugment(0, 0), Draw(0, epoch, "a"))
    assert np.array_equal(plain, units + FIRST)


def test_rows_are_read_in_the_originals_form(tmp_path):
    pairs = letters.write(tmp_path / "images", "p", 3)
    listed = [{"image_path": f"data/images/{row['image']}", "units": row["units"]} for row in letters.rows(pairs)]
    path = tmp_path / "multimodal_preprocessed.json"
    path.write_text(json.dumps(listed), encoding="utf-8")
    found = open_encoded(tmp_path / "multimodal_preprocessed", image_dir=tmp_path / "images", aside=tmp_path / "aside")
    assert [row.image.name for row in found.manifest] == [row["image"] for row in letters.rows(pairs)]
    assert all(row.image.exists() for row in found.manifest)
    assert found.lengths.tolist() == [len(row["units"]) for row in listed]
    assert (found.stated, found.count) == (False, 1 + max(max(row["units"]) for row in listed))


def test_missing_halves_are_counted(tmp_path):
    path = letters.write(tmp_path, "p", 5)
    gone = {0: "units", 1: "image", 2: "text", 3: "text"}
    letters.rewrite(path, lambda n, row: {k: v for k, v in row.items() if k != gone.get(n)})
    assert dict(open_encoded(path).lacking) == {"units": 1, "image": 1, "text": 2}


@pytest.mark.parametrize("units", [[1, -1], [0.5], "1 2", [True], {"a": 1}, [[1]]])
def test_units_that_are_none_are_named_with_their_line(tmp_path, units):
    path = letters.write(tmp_path, "p", 3)
    letters.rewrite(path, lambda n, row: row | ({"units": units} if n == 1 else {}))
    with pytest.raises(DataError, match=r"p\.jsonl:2: units: expected a list of whole numbers"):
        open_encoded(path)


def test_units_beyond_the_number_stated_are_refused(tmp_path):
    path = letters.write(tmp_path, "p", 3, num_clusters=4)
    with pytest.raises(DataError, match="where there are 4"):
        open_encoded(path)
    found = open_encoded(letters.write(tmp_path, "q", 3))
    with pytest.raises(DataError, match="the semantic core has 100"):
        check_fit(found, 100, "the semantic core")


def test_rows_without_any_units_say_how_to_make_them(tmp_path):
    path = letters.write(tmp_path, "p", 3, units=None)
    with pytest.raises(DataError, match="no row has units"):
        open_encoded(path)
    with pytest.raises(DataError, match="the row has no units"):
        units_of(Manifest.open(path)[0])


def test_a_part_is_held_out_by_picture_and_the_same_every_time(tmp_path):
    path = letters.write(tmp_path, "p", 20)
    letters.rewrite(path, lambda n, row: row | {"image": f"p{n // 2:04}.png"})
    encoded = open_encoded(path)
    train, val = part_off(encoded, 0.3, tmp_path, by="image", seed=0)
    assert len(train.manifest) + len(val.manifest) == 20
    assert shared(train.manifest, val.manifest, "image") == []
    assert shared(encoded.manifest, val.manifest, "image")
    before = train.manifest.path.stat().st_mtime_ns
    again, _ = part_off(encoded, 0.3, tmp_path, by="image", seed=0)
    assert (again.manifest.path, before) == (train.manifest.path, train.manifest.path.stat().st_mtime_ns)


@pytest.mark.parametrize("stem", ["patches", "convolutions"])
def test_a_picture_alone_is_seen_as_in_a_batch(stem):
    torch.manual_seed(0)
    seeing = built(ImageNetwork(size=32, width=16, heads=2, layers=1, stem=stem), 8)
    pictures = seeing.transform.normalized(torch.randint(0, 256, (5, 3, 32, 32), dtype=torch.uint8))
    before = seeing.network(pictures)  # batch norm sees something
    assert before.shape == (5, 8)
    network = seeing.network.eval()
    with torch.no_grad():
        vectors = network(pictures)
        torch.testing.assert_close(vectors.norm(dim=1), torch.ones(5))
        torch.testing.assert_close(network(pictures[3:4])[0], vectors[3], atol=1e-5, rtol=1e-4)
        assert (network(pictures.roll(9, dims=-1)) - vectors).norm(dim=1).min() > 1e-3


def learned(matrix_rate, steps=12, stem="patches"):
    """The loss of a batch of eight pairs after some steps on it."""
    torch.manual_seed(0)
    options = Ground(
        embedding_dim=16,
        units=UnitNetwork(width=16, heads=2, layers=1, convolutions=1, dropout=0.0),
        image=ImageNetwork(width=16, heads=2, layers=1, size=16, stem=stem),
        optimization=GroundOptimizer(learning_rate=2e-3, matrix_rate=matrix_rate, temperature_rate=7e-3),
    )
    seeing = built(options.image, 16)
    learner = Grounding(SemanticCore(9, 16, options.units, options.contrast, seeing.network), options, seeing.transform)
    units, lengths = torch.randint(FIRST, 11, (8, 12)), torch.full((8,), 12)
    pictures = torch.randint(0, 255, (8, 3, 16, 16), dtype=torch.uint8)
    batch = Batch(tuple("abcdefgh"), units, lengths, pictures, torch.eye(8, dtype=torch.bool))
    optimizer = learner.optimizers["core"]

    def update(name, loss, keep=False):
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    losses = [float(learner.step(batch, Clock(n, 0, n), update)["loss"]) for n in range(steps)]
    return losses[-1], learner


@pytest.mark.parametrize("stem", ["patches", "convolutions"])
def test_matrices_learn_faster_by_muon_and_every_weight_is_in_one_group(stem):
    (plain, _), (fast, learner) = learned(0.0, stem=stem), learned(2e-2, stem=stem)
    assert fast < 0.8 * plain
    groups = learner.optimizers["core"].param_groups
    weights = [id(weight) for group in groups for weight in group["params"]]
    assert sorted(weights) == sorted({id(weight) for weight in learner.modules["core"].parameters()})
    rates = {(group["parts"], group["lr"]) for group in groups}
    assert rates == {(1, 2e-2), (3, 2e-2), (0, 2e-3), (0, 7e-3)}
