"""The network: each frame encoded once, padding without effect, recomputation exact, windows as they were trained."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from onsei.config import from_recipe
from onsei.errors import ConfigError, ModelError
from onsei.hub import weights
from onsei.nn.efficientnet import EfficientNetV2
from onsei.systems import articulation
from onsei.systems.articulation.config import Losses, Model, Train
from onsei.systems.articulation.losses import MaskedLoss
from onsei.systems.articulation.model import MelGenerator
from onsei.systems.articulation.training import begin_with

SMALL = Model(size=16, channels=(4, 8), features=12, hidden=10, dropout=0.0)


def generator(options=SMALL, bands=6, subframes=1, seed=0):
    torch.manual_seed(seed)
    return MelGenerator(options, bands, subframes).eval()


@pytest.mark.parametrize(
    "change", [{}, {"norm": "group"}, {"stack": 3}, {"layers": 2}, {"pool": "mean", "features": 0}]
)
def test_a_film_alone_gives_what_it_gives_in_a_batch(change):
    from dataclasses import replace

    model = generator(replace(SMALL, **change), subframes=2)
    frames = torch.rand(2, 9, 1, 16, 16)
    with torch.no_grad():
        both = model(frames, torch.tensor([9, 5]))
        short = model(frames[1:, :5], torch.tensor([5]))
    assert both.shape == (2, 18, 6)
    torch.testing.assert_close(both[1, :10], short[0], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(model.spoken(frames[1, :5]), short[0], atol=1e-5, rtol=1e-4)


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 12), st.integers(1, 5), st.integers(1, 3))
def test_windows_read_each_frame_as_the_last_of_its_window(frames, window, subframes):
    from dataclasses import replace

    model = generator(replace(SMALL, window=window), subframes=subframes)
    film = torch.rand(frames, 1, 16, 16)
    found = model.spoken(film)
    assert found.shape == (frames * subframes, 6)
    size = min(window, frames)
    with torch.no_grad():
        for end in range(size, frames + 1):  # every window anew
            own = model(film[None, end - size : end], torch.tensor([size]))[0, -subframes:]
            torch.testing.assert_close(found[(end - 1) * subframes : end * subframes], own, atol=1e-5, rtol=1e-4)
        first = model(film[None, :size], torch.tensor([size]))[0]
    torch.testing.assert_close(found[: (size - 1) * subframes], first[: (size - 1) * subframes], atol=1e-5, rtol=1e-4)


def test_a_stack_sees_the_frame_and_those_before_it():
    from dataclasses import replace

    model = generator(replace(SMALL, stack=3, input_channels=1))
    film = torch.arange(4.0).view(1, 4, 1, 1, 1).expand(-1, -1, -1, 2, 2)
    seen = model.stacked(film)[0, :, :, 0, 0]
    assert seen.tolist() == [[0, 0, 0], [0, 0, 1], [0, 1, 2], [1, 2, 3]]


@pytest.mark.parametrize(
    "options", [SMALL, Model(encoder="efficientnetv2_b0", size=32, features=0, pool="mean", hidden=8)]
)
def test_recomputed_activations_change_neither_gradients_nor_statistics(options):
    found = []
    for segments in (0, 2):
        model = generator(options).train()
        model.encoder.segments = segments
        torch.manual_seed(1)
        model(torch.rand(2, 3, 1, options.size, options.size), torch.tensor([3, 2])).square().sum().backward()
        gradients = torch.cat([p.grad.flatten() for p in model.parameters()])
        found.append((gradients, {name: buffer.clone() for name, buffer in model.named_buffers()}))
    torch.testing.assert_close(found[0][0], found[1][0], atol=1e-6, rtol=1e-5)
    for name, buffer in found[0][1].items():
        torch.testing.assert_close(buffer, found[1][1][name], msg=name)


def test_weights_of_timm_fill_the_encoder(tmp_path):
    trunk = EfficientNetV2("b0", 3)
    weights.save(tmp_path / "w.safetensors", trunk.state_dict() | {"classifier.weight": torch.zeros(2, 2)})
    torch.save({"state_dict": trunk.state_dict()}, tmp_path / "w.pth")
    for name in ("w.safetensors", "w.pth"):
        model = generator(Model(encoder="efficientnetv2_b0", size=32, input_channels=3))
        begin_with(model, tmp_path / name)
        for key, value in model.encoder.trunk.state_dict().items():
            torch.testing.assert_close(value, trunk.state_dict()[key])
    with pytest.raises(ModelError, match="does not fit"):
        begin_with(generator(Model(encoder="efficientnetv2_b2", size=32)), tmp_path / "w.pth")
    with pytest.raises(ModelError, match="encoder"):
        begin_with(generator(), tmp_path / "w.pth")


def test_the_papers_recipe_is_the_memo():
    from pathlib import Path

    path = Path(articulation.__file__).parent / "recipes" / "paper.yaml"
    recipe = from_recipe(Train, path)
    model, losses, clock = recipe.model, recipe.losses, recipe.training
    assert (model.encoder, model.size, model.hidden, model.dropout, model.window) == (
        "efficientnetv2_b2",
        256,
        640,
        0.5,
        4,
    )
    assert (losses.edges, losses.bands) == ((6, 16, 32, 48), (2.0, 3.0, 2.4, 1.6, 1.8))
    assert (losses.first_frames, losses.first_from, losses.first_to, losses.ramp_steps) == (8, 1.6, 1.02, 120_000)
    assert (losses.delta, losses.accel, losses.latest) == ((0.3, 0.45), (0.1, 0.15), (0.2, 0.4))
    assert (recipe.data.batch_size, recipe.data.micro_batch_size, recipe.data.num_workers) == (16, 4, 4)
    chosen = recipe.optimization
    assert (chosen.learning_rate, chosen.beta1, chosen.beta2, chosen.epsilon, chosen.weight_decay) == (
        1e-4, 0.9, 0.999, 1e-8, 1e-4,
    )  # fmt: skip
    assert (clock.schedule, clock.plateau_factor, clock.plateau_patience, clock.learning_floor) == (
        "plateau",
        0.5,
        5,
        0.01,
    )
    assert (clock.epochs, clock.patience, clock.max_norm, clock.precision, clock.seed) == (4500, 20, 1.0, "bf16", 42)
    assert (clock.stop_at_floor, recipe.ckpt_segments, clock.tracker) == (True, 2, ("tensorboard",))
    assert MelGenerator(model, 64).encoder.features == 208


def loss(options, bands=4):
    return MaskedLoss(options, bands)


def test_the_loss_is_squared_and_absolute_error_of_what_is_film():
    found, true = torch.zeros(2, 3, 4), torch.ones(2, 3, 4)
    true[1, 2] = 100  # padding
    value = loss(Losses(edges=(2,), bands=(1.0, 1.0), mse=2.0, mae=0.5))(found, true, torch.tensor([3, 2]))
    assert value.item() == pytest.approx(2.5)


def test_bands_and_first_frames_weigh_more_and_ramps_lead_there():
    options = Losses(
        edges=(2,), bands=(3.0, 1.0), mae=0.0, ramp_steps=100, first_frames=3, first_from=2.0, first_to=1.0
    )
    of = loss(options)
    assert of.band_weights(of.progress(50)).tolist() == [2, 2, 1, 1]
    assert of.band_weights(of.progress(None)).tolist() == [3, 3, 1, 1]
    assert of.frame_weights(5).tolist() == [2, 1.5, 1, 1, 1]
    error = torch.zeros(1, 2, 4)
    error[0, 0, 0] = 1.0
    value = of(error, torch.zeros_like(error), torch.tensor([2]), 0)
    assert value.item() == pytest.approx(2.0 / (3.5 * 4))


def test_differences_and_the_latest_frame_are_weighed_as_ramps_say():
    options = Losses(
        edges=(), bands=(1.0,), mse=1.0, mae=0.0, ramp_steps=10, delta=(0.3, 0.45), accel=(0.1, 0.15), latest=(0.2, 0.4)
    )
    error = torch.zeros(1, 5, 1)
    error[0, :, 0] = torch.tensor([0.0, 0.0, 1.0, 0.0, 9.0])  # the last one is padding
    plain, first, second, latest = 1 / 4, 2 / 3, (1 + 4) / 2, 0.0
    for step, factors in ((0, (0.3, 0.1, 0.2)), (5, (0.375, 0.125, 0.3)), (None, (0.45, 0.15, 0.4))):
        value = loss(options, 1)(error, torch.zeros_like(error), torch.tensor([4]), step)
        expected = plain + factors[0] * first + factors[1] * second + factors[2] * latest
        assert value.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("change", [{"edges": (6, 6)}, {"edges": (6, 99)}, {"bands": (1.0,)}])
def test_groups_of_bands_that_do_not_fit_are_refused(change):
    from dataclasses import replace

    with pytest.raises(ConfigError, match="losses"):
        MaskedLoss(replace(Losses(), **change), 64)


def test_group_norm_needs_channels_that_can_be_grouped():
    from onsei.systems.articulation.data.example import PREPARED
    from onsei.systems.articulation.training import built

    with pytest.raises(ConfigError, match="multiples of 4"):
        built(Model(channels=(6,), norm="group"), PREPARED)
