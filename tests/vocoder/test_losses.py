"""Discriminators and losses: what they are when sounds are equal, and that gradients go where they should."""

from dataclasses import replace

import pytest
import torch

from onsei.vocoder import losses
from onsei.vocoder.discriminators import MultiPeriod, MultiScale
from onsei.vocoder.mel import LogMel, MelDefinition

MEL = MelDefinition(sample_rate=8000, n_fft=256, hop_length=64, win_length=256, n_mels=8, f_max=3000.0)


@pytest.fixture(scope="module", params=[MultiPeriod, MultiScale])
def network(request):
    torch.manual_seed(1)
    return request.param(width=0.125)


@pytest.mark.parametrize("samples", [1, 7, 1000])
def test_sound_of_any_length_is_judged(network, samples):
    verdicts = network(torch.randn(2, samples))
    assert len(verdicts) == len(network.discriminators)
    for score, layers in verdicts:
        assert score.shape[0] == 2
        assert score.isfinite().all()
        assert torch.equal(layers[-1].flatten(1), score)


def test_losses_are_least_squares_summed_over_the_parts():
    def verdicts(score):
        return [(torch.full((1, 4), score), [torch.full((1, 2, 4), score)])] * 3

    assert losses.discriminator(verdicts(1.0), verdicts(0.0)) == 0
    assert losses.discriminator(verdicts(0.5), verdicts(0.5)) == 1.5
    assert losses.adversarial(verdicts(1.0)) == 0
    assert losses.adversarial(verdicts(-1.0)) == 12
    assert losses.features(verdicts(1.0), verdicts(0.75)) == 0.75


def test_feature_matching_pulls_at_made_sound_only(network):
    real, made = torch.randn(1, 500, requires_grad=True), torch.randn(1, 500, requires_grad=True)
    losses.features(network(real), network(made)).backward()
    assert real.grad is None
    assert made.grad.abs().sum() > 0


def test_mel_loss_is_l1_over_the_whole_band():
    torch.manual_seed(1)
    made, real = torch.randn(2, 640), torch.randn(2, 640)
    logmel = LogMel(replace(MEL, f_max=4000.0))
    want = (logmel(made) - logmel(real)).abs().mean()
    torch.testing.assert_close(losses.MelLoss(MEL)(made, real), want)
    in_decibels = losses.MelLoss(replace(MEL, log="decibel"))  # compared in nepers nevertheless
    torch.testing.assert_close(in_decibels(made, real), want)


@pytest.mark.parametrize("loss", [losses.MelLoss(MEL), losses.SpectralLoss((128, 256))], ids=["mel", "spectral"])
def test_losses_of_sound_fall_to_zero_and_survive_silence(loss):
    torch.manual_seed(1)
    real = torch.randn(2, 640)
    assert loss(real, real) == 0
    assert loss(0.9 * real, real) < loss(0.5 * real, real)
    made = torch.zeros(2, 640, requires_grad=True)
    loss(made, real).backward()
    assert made.grad.isfinite().all()
    assert loss(torch.zeros(2, 640), torch.zeros(2, 640)) == 0
