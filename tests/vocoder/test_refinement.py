"""Sound drawn to its mel: from nothing, and from what a network made of it."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from onsei.vocoder.mel import LogMel, MelDefinition, aligned, emphasized, prepared, restored
from onsei.vocoder.refinement import Refiner
from onsei.vocoder.synthesis import Synthesizer
from tests.vocoder.test_synthesis import VOICES, louder

MEL = MelDefinition(sample_rate=8000, n_fft=256, hop_length=64, win_length=256, n_mels=20, f_max=None)
DEFINITIONS = [MEL, replace(MEL, quantity="power", log="decibel", preemphasis=0.9), replace(MEL, padding="center")]


def voiced(seconds=0.8, rate=8000):
    """Harmonics that glide, in a little noise: (1, T)."""
    time = torch.arange(round(seconds * rate)) / rate
    phase = 2 * torch.pi * torch.cumsum(120 + 60 * time, 0) / rate
    sound = sum(torch.sin(n * phase) / n for n in range(1, 16))
    noise = torch.randn(len(time), generator=torch.Generator().manual_seed(0))
    return (0.2 * sound + 0.01 * noise)[None]


def apart(sound, mel, definition):
    """Mean distance of a sound's mel from ``mel``, inside, in the mel's unit."""
    found = LogMel(replace(definition, padding="hop"))(sound)
    return float((found - mel)[..., 3:-3].abs().mean())


def blurred(sound):
    """As a half-trained network makes it: right on the whole, wrong in every detail."""
    draw = torch.Generator().manual_seed(1)
    window = torch.hann_window(256)
    spectra = torch.stft(sound, 256, 64, window=window, return_complex=True)
    turned = torch.polar(torch.ones(spectra.shape), 0.7 * torch.randn(spectra.shape, generator=draw))
    spectra = spectra * turned * torch.exp(0.5 * torch.randn(spectra.shape, generator=draw))
    return torch.istft(spectra, 256, 64, window=window, length=sound.shape[-1])


@pytest.mark.parametrize("definition", DEFINITIONS)
def test_a_networks_sound_comes_nearer_to_its_mel_than_it_was_and_than_griffin_lim_alone(definition):
    ready = prepared(voiced(), definition)
    mel, part = LogMel(definition)(ready), aligned(ready, definition)
    sound = blurred(part)
    refined, alone = Refiner(definition, 20)(mel, sound), Refiner(definition, 20)(mel)
    assert refined.shape == alone.shape == part.shape
    found = {name: apart(x, mel, definition) for name, x in (("net", sound), ("refined", refined), ("alone", alone))}
    assert found["refined"] < 0.6 * found["net"]
    assert found["refined"] < found["alone"]


def test_holes_in_a_networks_spectra_are_filled():
    """No factor makes something of nothing: where a network says nothing, the mel's own magnitudes come in."""
    wide = MelDefinition(sample_rate=16000, f_max=None)
    ready = prepared(voiced(rate=16000), wide)
    mel, part = LogMel(wide)(ready), aligned(ready, wide)
    window, holes = torch.hann_window(1024), torch.arange(513) % 40 < 20
    spectra = torch.stft(part, 1024, 256, window=window, return_complex=True)
    holed = torch.istft(spectra * ~holes[:, None], 1024, 256, window=window, length=part.shape[-1])

    def misses(filling):
        made = Refiner(wide, 10, filling=filling)(mel, holed)
        found = torch.stft(made, 1024, 256, window=window, return_complex=True).abs()
        apart = (found.clamp(min=1e-3).log() - spectra.abs().clamp(min=1e-3).log()).abs()
        return float(apart[:, holes, 3:-3].mean())

    assert misses(0.35) < 0.6 * misses(0.0)


def test_sound_that_has_its_mel_already_stays_nearly_as_it_is():
    ready = prepared(voiced(), MEL)
    mel, part = LogMel(MEL)(ready), aligned(ready, MEL)
    refined = Refiner(MEL, 10)(mel, part)
    inside = slice(256, -256)
    assert float((refined - part)[..., inside].norm() / part[..., inside].norm()) < 0.05


@settings(deadline=None, max_examples=15)
@given(frames=st.integers(1, 20), hop=st.integers(20, 128), batch=st.integers(1, 2))
def test_there_are_as_many_samples_as_the_frames_stand_for(frames, hop, batch):
    refiner = Refiner(replace(MEL, hop_length=hop), 2)
    mel = torch.randn(batch, 20, frames)
    assert refiner(mel).shape == (batch, frames * hop)
    assert refiner(mel, torch.randn(batch, frames * hop)).shape == (batch, frames * hop)


def test_a_synthesizer_refines_before_it_takes_the_preemphasis_back():
    torch.manual_seed(3)
    definition = replace(MEL, n_mels=8, hop_length=60, preemphasis=0.9)
    voice = louder(VOICES["v3"](definition))
    mel = torch.randn(1, 8, 30)
    plain = Synthesizer(voice)(mel)
    expected = restored(Refiner(definition, 5)(mel, emphasized(plain, 0.9)), definition)
    speaker = Synthesizer(voice, refine=5)
    torch.testing.assert_close(speaker(mel), expected, atol=2e-3, rtol=1e-3)
    assert torch.equal(torch.cat(list(speaker.stream(mel)), -1), speaker(mel))
    assert not torch.allclose(speaker(mel), plain, atol=1e-2)
