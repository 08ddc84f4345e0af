"""K-means: as good as scikit-learn's own, streamed or not; faults told."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans as Reference

from onsei.errors import DataError, ModelError
from onsei.hub import weights
from onsei.units import kmeans
from onsei.units.kmeans import KMeans, fit


def blobs(count=4000, clusters=20, dim=8, seed=0):
    random = np.random.default_rng(seed)
    centers = random.standard_normal((clusters, dim)) * 4
    return (centers[random.integers(clusters, size=count)] + random.standard_normal((count, dim))).astype(np.float32)


def measured(x, centroids):
    return float(((x[:, None] - np.asarray(centroids)[None]) ** 2).sum(-1).min(1).mean())


def test_it_is_about_as_good_as_ten_runs_of_lloyd():
    x = blobs()
    best = Reference(20, n_init=10, random_state=0).fit(x).inertia_ / len(x)
    found = fit(x, 20, polish=3)
    assert found.inertia <= 1.1 * best
    assert found.inertia == pytest.approx(measured(x, found.centroids), rel=1e-4)
    assert found.counts.sum() == len(x)
    assert (torch.bincount(found.assign(torch.from_numpy(x)), minlength=20) == found.counts).all()


def test_a_stream_that_exceeds_the_sample_is_learned_from_whole():
    x = np.concatenate([blobs(3000, seed=1), blobs(3000, seed=1) + 60])  # the second half lies elsewhere
    calls = []

    def blocks():
        calls.append(0)
        yield from np.array_split(x, 40)

    found = fit(blocks, 30, sample=600, polish=2, batch=512)
    whole = fit(x, 30, polish=2)
    assert found.inertia <= 1.2 * whole.inertia
    assert found.counts.sum() == len(x)
    assert len(calls) >= 4  # sample, rest, two steps, count


def test_a_stream_in_other_blocks_gives_the_same_sample():
    x = blobs(1000)
    one, _ = kmeans._sampled(lambda: iter([x]), 100, 7)
    many, total = kmeans._sampled(lambda: iter(np.array_split(x, 13)), 100, 7)
    assert total == 1000
    assert (one == many).all()


def test_a_sample_is_uniform():
    x = np.arange(400, dtype=np.float32)[:, None]
    hits = np.zeros(400)
    for seed in range(300):
        kept, _ = kmeans._sampled(lambda: iter(np.array_split(x, 9)), 40, seed)
        assert len(np.unique(kept)) == 40
        hits[kept[:, 0].astype(int)] += 1
    halves = hits[:200].sum() / hits.sum()
    assert 0.47 < halves < 0.53
    assert abs(np.corrcoef(np.arange(400), hits)[0, 1]) < 0.2


def test_the_angle_alone_counts_with_cosine():
    x = blobs(2000, 6)
    loud = x * np.random.default_rng(3).uniform(0.1, 50, (len(x), 1)).astype(np.float32)
    found = fit(x, 6, cosine=True, polish=5)
    assert found.centroids.norm(dim=1).numpy() == pytest.approx(1.0, abs=1e-5)
    assert (found.assign(torch.from_numpy(x)) == found.assign(torch.from_numpy(loud))).all()


def test_no_cluster_stays_empty():
    x = np.repeat(np.eye(10, dtype=np.float32), [500, 300, *([2] * 8)], axis=0)  # ten points, eight of them rare
    assert (fit(x, 10).counts > 0).all()
    assert (fit(x, 10, polish=2).counts > 0).all()


def test_an_empty_cluster_moves_to_the_farthest_frames():
    x = np.array([[0.0], [0.1], [0.2], [9.0]], np.float32)
    moved, counts, inertia, empty = kmeans._step(torch.tensor([[0.1], [-50.0]]), lambda: iter([x]), False)
    assert (counts.tolist(), empty) == ([4, 0], 1)
    assert moved[1].item() == 9.0
    assert inertia == pytest.approx(((x - 0.1) ** 2).mean())


def test_many_clusters_start_in_two_levels(monkeypatch):
    monkeypatch.setattr(kmeans, "_FLAT", 50)
    x = blobs(6000, 80)
    found = fit(x, 120, polish=1)
    assert found.centroids.shape == (120, 8)
    assert (found.counts > 0).all()
    assert found.inertia <= 1.15 * Reference(120, n_init=1, random_state=0).fit(x).inertia_ / len(x)


def test_the_same_seed_gives_the_same_clusters():
    x = blobs(1500)
    assert torch.equal(fit(x, 12, seed=4).centroids, fit(x, 12, seed=4).centroids)
    assert not torch.equal(fit(x, 12, seed=4).centroids, fit(x, 12, seed=5).centroids)


def test_it_is_stored_without_a_pickle(tmp_path):
    found = fit(blobs(500), 5, cosine=True)
    found.save(tmp_path / "k.safetensors")
    again = KMeans.load(tmp_path / "k.safetensors")
    assert torch.equal(again.centroids, found.centroids)
    assert torch.equal(again.counts, found.counts)
    assert (again.inertia, again.cosine) == (found.inertia, True)
    weights.save(tmp_path / "other.safetensors", {"a": torch.ones(1)})
    with pytest.raises(ModelError, match="holds no k-means"):
        KMeans.load(tmp_path / "other.safetensors")


def test_more_clusters_than_frames_are_refused():
    with pytest.raises(DataError, match="50 clusters of 20 frames"):
        fit(blobs(20), 50)


def test_silence_is_refused():
    with pytest.raises(DataError, match="different frames"):
        fit(np.zeros((3000, 4), np.float32), 8)


def test_values_that_are_not_finite_are_refused():
    x = blobs(100)
    x[3, 2] = np.nan
    with pytest.raises(DataError, match="NaN"):
        fit(x, 4)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 30), st.integers(1, 5), st.integers(1, 9), st.booleans())
def test_each_frame_gets_its_nearest_centroid(frames, dim, clusters, cosine):
    random = torch.Generator().manual_seed(frames * 100 + dim)
    x, centroids = torch.randn(2, frames, dim, generator=random), torch.randn(clusters, dim, generator=random)
    centroids = torch.nn.functional.normalize(centroids, dim=1) if cosine else centroids
    units, distances = KMeans(centroids, torch.ones(clusters).long(), 0.0, cosine).nearest(x)
    y = torch.nn.functional.normalize(x, dim=-1) if cosine else x
    wanted = (y[..., None, :] - centroids).square().sum(-1)
    assert units.shape == (2, frames)
    assert wanted.gather(-1, units[..., None])[..., 0].numpy() == pytest.approx(wanted.min(-1).values.numpy(), abs=1e-4)
    assert distances.numpy() == pytest.approx(wanted.min(-1).values.numpy(), abs=1e-3)
