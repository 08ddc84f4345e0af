"""From cepstra back to spectra."""

import numpy as np
import pytest
import torch

from onsei.audio.features import MFCC, power_to_db, spectrum
from onsei.errors import AudioError
from tests.audio.sounds import tone


def test_all_cepstra_give_the_spectrum_back():
    sound = torch.from_numpy(tone())
    made = MFCC(16000, 40, n_mels=40)
    found = spectrum(made(sound), 40)
    wanted = power_to_db(made.mel(sound))
    assert torch.allclose(found * (2 / 40) ** 0.5, wanted, atol=1e-3)


def test_sphinx_cepstra_give_their_spectrum_back():
    random = np.random.default_rng(0)
    log = random.standard_normal((20, 7))
    log[0] = 0  # SphinxBase counts the lowest band half
    rows = np.arange(20)[:, None]
    cosines = np.cos(np.pi * rows * (np.arange(20) + 0.5) / 20)
    cepstra = torch.from_numpy(cosines @ log / 20)
    assert torch.allclose(2 * spectrum(cepstra, 20, "sphinx"), torch.from_numpy(log), atol=1e-6)


def test_few_cepstra_give_the_same_curve_at_any_number_of_bands():
    cepstra = torch.randn(2, 4, 3)
    coarse, fine = spectrum(cepstra, 10), spectrum(cepstra, 30)
    assert torch.allclose(fine[:, 1::3], coarse, atol=1e-5)  # the middles of three bands are those of one


def test_bands_must_hold_the_cepstra():
    with pytest.raises(AudioError, match="13"):
        spectrum(torch.zeros(13, 4), 12)
