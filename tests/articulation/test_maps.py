"""Heat maps: they are the gradients they claim to be, hot where the network looks, and leave the network as it was."""

import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from onsei.config import Span
from onsei.errors import ConfigError
from onsei.systems.articulation.config import Model
from onsei.systems.articulation.explain.maps import Question, chosen_layer, heat_maps, layers, mel_bins
from onsei.systems.articulation.model import MelGenerator
from onsei.vocoder.definition import MelDefinition

BINS = (2, 3, 5)
SMALL = {"size": 32, "channels": (4, 8), "features": 12, "hidden": 10, "dropout": 0.5, "feature_dropout": 0.2}


def network(subframes=1, seed=0, **options):
    torch.manual_seed(seed)
    return MelGenerator(Model(**{**SMALL, **options}), 8, subframes)


def film(frames=7, size=32, seed=0):
    return np.random.default_rng(seed).random((frames, size, size), np.float32)


def by_hand(model, pictures, method, target, layer, size):
    """Maps by one backward pass through the whole network for each frame's own target."""
    model.eval()
    held = []

    def keep(module, given, made):
        made.retain_grad()
        held.append(made)

    handle = model.encoder.get_submodule(layer).register_forward_hook(keep)
    frames = torch.from_numpy(pictures)[None, :, None]
    total, window, r = len(pictures), model.options.window, model.subframes
    if window:
        features = model.encoded(frames, torch.tensor([total]))
        windows = features[0].unfold(0, window, 1).transpose(1, 2)
        mels = model.decoded(windows, torch.full((len(windows),), window))
        mel = torch.cat([mels[0, : (window - 1) * r], mels[:, -r:].flatten(0, 1)])
        mel = mel.view(total, r, -1)
    else:
        mel = model(frames, torch.tensor([total]))[0].view(total, r, -1)
    handle.remove()
    levels = mel[..., list(BINS)].mean((1, 2))
    made = held[0]
    rows = []
    for t in range(total):
        goal = levels[t] if target == "frame" else levels.mean()
        gradient = torch.autograd.grad(goal, made, retain_graph=True)[0][t]
        a = made[t].detach()
        if method == "hirescam":
            rows.append((a * gradient).sum(0))
        elif method == "gradcam":
            rows.append((a * gradient.mean((1, 2), keepdim=True)).sum(0))
        else:
            second, third = gradient**2, gradient**3
            share = second / (2 * second + a.sum((1, 2), keepdim=True) * third)
            share = torch.where(second > 0, share, 0.0)
            rows.append((a * (share * gradient.relu()).sum((1, 2), keepdim=True)).sum(0))
    coarse = torch.stack(rows).relu()[:, None]
    return interpolate(coarse, (size, size), mode="bilinear", align_corners=False)[:, 0].numpy()


@pytest.mark.parametrize("method", ["gradcam", "gradcam++", "hirescam"])
@pytest.mark.parametrize(
    ("target", "options", "subframes"),
    [
        ("frame", {}, 1),
        ("frame", {"pool": "mean", "features": 0}, 4),
        ("clip", {"layers": 2}, 1),
        ("frame", {"window": 4, "stack": 4, "input_channels": 3}, 1),
    ],
)
def test_maps_are_the_gradients_of_the_whole_network(method, target, options, subframes):
    model, pictures = network(subframes, 3, **options), film(6)
    found = heat_maps(model, pictures, Question(BINS, method, target, "trunk"), 48)
    wanted = by_hand(network(subframes, 3, **options), pictures, method, target, "trunk", 48)
    assert found.shape == (6, 48, 48)
    assert wanted.max() > 0
    assert np.abs(found - wanted).max() < 2e-4 * wanted.max()


def test_windows_with_the_target_of_the_whole_film():
    model = network(window=3)
    found = heat_maps(model, film(6), Question(BINS, "hirescam", "clip"), 32)
    features = model.eval().encoded(torch.from_numpy(film(6))[None, :, None], torch.tensor([6])).detach()
    leaf = features.requires_grad_()
    windows = leaf[0].unfold(0, 3, 1).transpose(1, 2)
    levels = model.decoded(windows, torch.full((4,), 3))[:, -1, list(BINS)].mean()
    wanted = torch.autograd.grad(levels, leaf)[0][0]
    from onsei.systems.articulation.explain.maps import feature_gradients

    model.requires_grad_(False)
    got = feature_gradients(model, features.detach(), Question(BINS, "hirescam", "clip"))
    assert torch.allclose(got, wanted, atol=1e-7)
    assert found.shape == (6, 32, 32)


def test_maps_are_hot_where_the_network_looks():
    model = network(pool="grid", features=4)
    with torch.no_grad():
        model.encoder.reduce.weight.zero_()
        model.encoder.reduce.bias.fill_(1.0)
        grid = model.encoder.reduce.weight.view(4, 8, 8, 8)  # features, channels, rows, columns
        grid[:, :, 5, 2] = torch.randn(4, 8)
    pictures = film(5)
    maps = sum(heat_maps(model, pictures, Question((n,), "hirescam", "frame", "trunk"), 32) for n in range(8))
    rows, columns = np.unravel_index(maps.sum(0).argmax(), (32, 32))
    assert (rows // 4, columns // 4) == (5, 2)
    assert maps[:, :12].max() == 0


def test_any_part_of_the_encoder_can_be_shown_and_a_wrong_one_is_answered():
    model = network()
    known = layers(model)
    assert known["trunk"] == (8, 8, 8)
    assert known["trunk.blocks.0"] == (4, 16, 16)
    maps = heat_maps(model, film(3), Question(BINS, "gradcam", "frame", "trunk.blocks.0"), 32)
    wanted = by_hand(network(), film(3), "gradcam", "frame", "trunk.blocks.0", 32)
    assert np.abs(maps - wanted).max() < 2e-4 * wanted.max()
    assert chosen_layer(model, "") == "trunk.blocks.0"
    assert chosen_layer(network(size=128), "") == "trunk"  # 32 × 32
    assert chosen_layer(network(size=8), "") == "trunk.blocks.0"  # none is as fine as 32 × 32
    with pytest.raises(ConfigError, match=r"--layer trunk.blocks.9.*\n.*trunk.blocks.0 \(4 × 16 × 16\)"):
        chosen_layer(model, "trunk.blocks.9")


def test_efficientnet_has_layers_too():
    model = network(encoder="efficientnetv2_b0", size=64, pool="mean", features=0)
    found = heat_maps(model, film(2, 64), Question(BINS, "hirescam", "frame", "trunk.blocks.3"), 64)
    assert found.shape == (2, 64, 64)
    assert found.max() > 0
    assert layers(model)["trunk.blocks.3"][1:] == (4, 4)


def test_the_network_stays_as_it_was():
    model = network(norm="batch").train()
    model.mel.weight.requires_grad_(False)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    heat_maps(model, film(4), Question(BINS), 32)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(part.training for part in model.modules())
    assert not model.mel.weight.requires_grad
    assert model.mel.bias.requires_grad
    assert not any(part._forward_hooks for part in model.modules())


def test_cudnn_is_off_around_the_recurrent_layer_only():
    model, seen = network(), {}

    def note(*_):
        seen["recurrent"] = torch.backends.cudnn.enabled

    model.recurrent[0].register_forward_hook(note)
    before = torch.backends.cudnn.enabled
    heat_maps(model, film(3), Question(BINS), 32)
    assert seen == {"recurrent": False}
    assert torch.backends.cudnn.enabled == before


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gives_the_same_maps():
    cpu = heat_maps(network(), film(5), Question(BINS), 32)
    gpu = heat_maps(network().cuda(), film(5), Question(BINS), 32)
    assert np.abs(cpu - gpu).max() < 1e-3 * cpu.max()


def test_long_films_are_explained_part_by_part_alike(monkeypatch):
    model, pictures = network(), film(11)
    whole = heat_maps(model, pictures, Question(BINS), 32)
    monkeypatch.setattr("onsei.systems.articulation.explain.maps._FRAMES_AT_ONCE", 3)
    monkeypatch.setattr("onsei.systems.articulation.explain.maps._TARGETS_AT_ONCE", 2)
    assert np.allclose(heat_maps(model, pictures, Question(BINS), 32), whole, atol=1e-6)


def test_bands_take_the_mels_whose_centers_lie_in_them():
    mel = MelDefinition(sample_rate=11413, n_fft=2048, hop_length=420, win_length=2048, n_mels=64, f_max=None)
    low, high = mel_bins(Span("F1", 300, 900), mel), mel_bins(Span("F2", 900, 2500), mel)
    assert low[-1] + 1 == high[0]
    assert 7 < len(low) < 16
    assert 15 < len(high) < 30
    with pytest.raises(ConfigError, match="F9: no mel band has its center in 9000 to 9500 Hz"):
        mel_bins(Span("F9", 9000, 9500), mel)
