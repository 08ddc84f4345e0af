"""The quantizer: starts at k-means, and what it is trained for gets better."""

import numpy as np
import pytest
import torch

from onsei.errors import ConfigError, ModelError
from onsei.units.quantizer import Codebook, VectorQuantizer


@pytest.fixture
def frames():
    random = np.random.default_rng(0)
    low = random.standard_normal((12, 4))[random.integers(12, size=3000)] * 3 + random.standard_normal((3000, 4))
    return (low @ random.standard_normal((4, 16)) + 5 + 0.3 * random.standard_normal((3000, 16))).astype(np.float32)


def started(frames, **shape):
    torch.manual_seed(0)
    layer = VectorQuantizer(frames.shape[1], Codebook(codes=24, **shape))
    layer.start(frames, polish=25)
    return layer


def test_the_start_is_k_means_of_the_frames(frames):
    layer = started(frames, code_size=16)
    found = layer(torch.from_numpy(frames))
    x = layer.normal(torch.from_numpy(frames))
    means = torch.stack([x[found.units == n].mean(0) for n in range(24)])
    assert (means - layer.decode(layer.codebook)).abs().max() < 0.05  # a rotation and back
    assert float(found.error.detach()) == pytest.approx(float((x - means[found.units]).square().mean()), rel=0.02)
    assert float(x.mean().abs()) < 1e-4
    assert float(x.var(0).mean()) == pytest.approx(1, rel=1e-2)


def test_sums_are_codes_times_uses(frames):
    layer = started(frames)
    assert torch.allclose(layer.sums / layer.uses[:, None], layer.codebook, atol=1e-5)
    assert float(layer.uses.mean()) == pytest.approx(1, rel=0.05)
    x = torch.from_numpy(frames)
    before = layer.codebook.clone()
    for _ in range(20):
        layer.learn(x, layer(x).units)
    assert (layer.codebook - before).abs().max() < 0.05 * before.abs().max()  # k-means has converged: nothing drifts


def test_a_projection_that_spreads_noise_learns_to_reconstruct(frames):
    layer = started(frames, code_size=8, whiten=1.0, decay=0.9)
    x = torch.from_numpy(frames)
    before = float(layer(x).error.detach())
    optimizer = torch.optim.Adam(layer.parameters(), lr=3e-3)
    for _ in range(150):
        found = layer(x)
        optimizer.zero_grad()
        (found.error + 0.25 * found.commitment).backward()
        optimizer.step()
        layer.learn(x, found.units)
    assert float(layer(x).error.detach()) < 0.8 * before


def test_codes_are_found_and_learn_in_32_bits_whatever_the_networks_compute_in(frames):
    x = torch.from_numpy(frames)
    plain, mixed = started(frames, decay=0.9), started(frames, decay=0.9)
    units = plain(x).units
    plain.learn(x, units)
    with torch.autocast("cpu", torch.bfloat16):
        assert (mixed(x).units == units).all()
        mixed.learn(x, units)
    assert torch.equal(mixed.codebook, plain.codebook)


def test_gradients_go_past_the_codes(frames):
    layer = started(frames)
    x = torch.from_numpy(frames[:50]).requires_grad_()
    layer(x).vectors.sum().backward()
    assert x.grad is not None
    assert float(x.grad.abs().sum()) > 0


def test_masked_frames_count_in_no_loss(frames):
    layer = started(frames)
    x = torch.from_numpy(frames[:60]).view(2, 30, 16)
    mask = torch.arange(30) < torch.tensor([[30], [10]])
    wild = x.clone()
    wild[1, 10:] = 1e3
    a, b = layer(x, mask), layer(wild, mask)
    assert float(a.error.detach()) == pytest.approx(float(b.error.detach()))
    assert float(a.commitment.detach()) == pytest.approx(float(b.commitment.detach()))


def test_dead_codes_begin_anew_at_frames(frames):
    layer = started(frames)
    layer.sums[3] = 1e4 * layer.uses[3]
    layer._set_codes()
    x = torch.from_numpy(frames)
    torch.manual_seed(1)
    restarted = sum(layer.learn(x, layer(x).units) for _ in range(600))
    assert restarted >= 1
    assert len(layer(x).units.unique()) >= 23
    assert layer.codebook.abs().max() < 100


def test_by_angle_codes_have_length_one(frames):
    layer = started(frames, cosine=True, layer_norm=True, whiten=1.0)
    assert layer.codebook.norm(dim=1).numpy() == pytest.approx(1, abs=1e-4)
    x = torch.from_numpy(frames)
    assert (layer(x).units == layer(3 * x).units).float().mean() > 0.999  # loudness is normalized away


def test_it_is_whole_in_its_state(frames):
    layer = started(frames)
    again = VectorQuantizer(16, layer.shape)
    again.load_state_dict(layer.state_dict())
    x = torch.from_numpy(frames)
    assert torch.equal(again(x).units, layer(x).units)


def test_faults_are_told(frames):
    with pytest.raises(ConfigError, match="code_size"):
        VectorQuantizer(4, Codebook(code_size=5))
    with pytest.raises(ModelError, match="expected"):
        started(frames).load_codes(torch.zeros(3, 16), torch.ones(3))
