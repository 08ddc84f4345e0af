"""Statistics of sounds over time: against scipy and numpy, and against sounds whose modulations are known."""

import numpy as np
import pytest
import scipy.stats
import torch

from onsei.systems.classification.textures import Textures

BANDS, FRAMES, WINDOW = 32, 400, 160
STRIDE = 0.008
"""Seconds from frame to frame."""


def statistics(x, lengths=None, rhythms=False):
    """Statistics before they are normalized, those of modulations (and rhythms), and correlations."""
    made = Textures(x.shape[1], WINDOW, rhythms).eval()
    made.norm = torch.nn.Identity()
    groups = made.groups
    first, last = 4 * x.shape[1], made.width - groups * (groups - 1) // 2
    found = made(x, torch.full((len(x),), x.shape[-1]) if lengths is None else lengths)
    assert found.shape == (len(x), made.width)
    between = found[:, first:last]
    return found, between if rhythms else between.view(len(x), groups, -1), found[:, last:]


def rhythms(x):
    """The largest autocorrelation of every octave, and the largest rise of one, each (B, octaves, G)."""
    made = Textures(x.shape[1], WINDOW, True)
    found = statistics(x, rhythms=True)[1][:, made.groups * len(made.bands) :]
    return found.view(len(x), 2, len(made.octaves), made.groups).unbind(1)


def test_moments_of_bands_are_scipys():
    x = torch.randn(2, BANDS, FRAMES, generator=torch.Generator().manual_seed(0)).exp()
    found, _, _ = statistics(x)
    values = x.numpy()
    expected = [
        values.mean(-1),
        np.log(values.std(-1)),
        scipy.stats.skew(values, axis=-1),
        np.log(scipy.stats.kurtosis(values, axis=-1, fisher=False)),
    ]
    torch.testing.assert_close(
        found[:, : 4 * BANDS].view(2, 4, BANDS),
        torch.from_numpy(np.stack(expected, 1)).float(),
        atol=0.1,  # where deviations and kurtosis are small, a floor keeps them finite
        rtol=0.05,
    )


def test_correlations_of_groups_are_numpys():
    x = torch.randn(1, 16, FRAMES, generator=torch.Generator().manual_seed(0))
    x[:, 5] += 2 * x[:, 3]
    expected = np.corrcoef(x[0].numpy())[np.triu_indices(16, 1)]
    torch.testing.assert_close(statistics(x)[2][0], torch.from_numpy(expected).float(), atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("rate", [3.0, 9.0, 25.0])
def test_a_beating_sound_has_most_of_its_modulation_at_its_rate(rate):
    time = torch.arange(FRAMES) * STRIDE
    x = 0.2 * torch.sin(2 * torch.pi * rate * time).expand(1, BANDS, FRAMES)
    shares = statistics(x)[1][0]
    low, high = Textures(BANDS, WINDOW).bands[int(shares.mean(0).argmax())]
    assert low <= round(rate * WINDOW * STRIDE) < high


@pytest.mark.parametrize("period", [6, 24, 100])
def test_what_comes_again_is_found_at_its_period(period):
    draw = torch.Generator().manual_seed(0)
    noise = torch.randn(1, BANDS, FRAMES, generator=draw)
    beats = noise + 20 * (torch.arange(FRAMES) % period == 0)
    octaves = Textures(BANDS, WINDOW, True).octaves
    place = next(n for n, (low, high) in enumerate(octaves) if low <= period < high)
    largest, risen = rhythms(beats)
    still, _ = rhythms(noise)
    assert largest[0, place].min() > 0.4
    assert risen[0, place].min() > 0.4
    assert still[0].max() < 0.3
    shorter = risen[0, :place]
    assert not len(shorter) or shorter.max() < 0.4


def test_autocorrelations_are_numpys():
    x = torch.randn(1, 16, FRAMES, generator=torch.Generator().manual_seed(1)).cumsum(-1)
    values = x[0].double().numpy() - x[0].double().numpy().mean(-1, keepdims=True)
    whole = np.stack([np.correlate(row, row, "full")[FRAMES - 1 :] for row in values])
    alike = whole / whole[:, :1]
    risen = alike - np.minimum.accumulate(alike, -1)
    for found, expected in zip(rhythms(x), (alike, risen), strict=True):
        for number, (low, high) in enumerate(Textures(16, WINDOW, True).octaves):
            largest = torch.from_numpy(expected[:, low:high].max(-1)).float()
            torch.testing.assert_close(found[0, number], largest, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("rhythms", [False, True])
def test_silence_and_a_single_frame_are_finite(rhythms):
    for frames in (1, 5, FRAMES):
        found, _, _ = statistics(torch.zeros(2, BANDS, frames), rhythms=rhythms)
        assert found.isfinite().all()


@pytest.mark.parametrize("rhythms", [False, True])
def test_a_sound_alone_has_the_statistics_that_it_has_in_a_batch(rhythms):
    x = torch.randn(3, BANDS, FRAMES, generator=torch.Generator().manual_seed(0))
    lengths = torch.tensor([FRAMES, 250, 90])
    together, _, _ = statistics(x, lengths, rhythms)
    for number, length in enumerate(lengths.tolist()):
        alone, _, _ = statistics(x[number : number + 1, :, :length], rhythms=rhythms)
        torch.testing.assert_close(together[number : number + 1], alone, atol=1e-4, rtol=1e-4)


def test_a_batch_of_one_sound_can_be_learned_from():
    made = Textures(BANDS, WINDOW).train()
    x = torch.randn(1, BANDS, FRAMES, generator=torch.Generator().manual_seed(0))
    assert made(x, torch.tensor([FRAMES])).std() > 0.1
