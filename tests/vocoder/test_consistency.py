"""Rounds within the network that draw its sound to the mel."""

from dataclasses import replace

import pytest
import torch

from onsei.vocoder.consistency import Consistency
from onsei.vocoder.istft import Head, HeadShape
from onsei.vocoder.mel import LogMel, aligned, prepared
from tests.vocoder.test_refinement import DEFINITIONS, MEL, apart, blurred, voiced

SHAPE = HeadShape(channels=16, layers=1, fine_channels=8, fine_layers=1, upsample=1)


@pytest.mark.parametrize("definition", [*DEFINITIONS, replace(MEL, hop_length=60, win_length=200)])
def test_each_round_comes_nearer_to_the_mel(definition):
    ready = prepared(voiced(), definition)
    mel, part = LogMel(definition)(ready), aligned(ready, definition)
    sound = blurred(part)
    with torch.no_grad():
        found = [apart(sound, mel, definition)]
        found += [apart(Consistency(definition, rounds)(sound, mel), mel, definition) for rounds in (1, 2, 6)]
    assert found == sorted(found, reverse=True)
    assert found[-1] < 0.4 * found[0]


def test_sound_that_has_its_mel_stays():
    ready = prepared(voiced(), MEL)
    mel, part = LogMel(MEL)(ready), aligned(ready, MEL)
    with torch.no_grad():
        made = Consistency(MEL, 3)(part, mel)
    torch.testing.assert_close(made, part, atol=1e-3, rtol=1e-3)


def test_strength_is_how_far_a_round_goes():
    sound, rounds = torch.randn(2, 640), Consistency(MEL, 2)
    mel = LogMel(MEL)(sound) + 1
    with torch.no_grad():
        rounds.strength.zero_()
        torch.testing.assert_close(rounds(sound, mel), sound, atol=1e-5, rtol=1e-5)
        rounds.strength[1] = 1
        torch.testing.assert_close(rounds(sound, mel), sound * torch.e, atol=0.02, rtol=0.02)


@pytest.mark.parametrize("level", [-12.0, 0.0, 12.0])
def test_mels_that_no_sound_has_make_finite_sound_and_gradients(level):
    network = Head(replace(SHAPE, rounds=4), MEL)
    mel = torch.full((1, 20, 1), level, requires_grad=True)
    sound = network(mel)
    sound.square().mean().backward()
    assert sound.shape == (1, 64)
    assert sound.isfinite().all()
    assert mel.grad.isfinite().all()
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters())


def test_a_network_without_rounds_has_the_weights_it_had():
    plain, drawn = (set(Head(replace(SHAPE, rounds=rounds), MEL).state_dict()) for rounds in (0, 3))
    assert drawn - plain == {"consistency.strength"}
