"""Features against librosa, and their own laws."""

from __future__ import annotations

import librosa
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from onsei.audio import features as f
from onsei.audio.samples import Samples
from onsei.errors import AudioError
from tests.audio.sounds import hiss, tone

SOUND = hiss(1.01) + tone(1.01)
FRAMINGS = [(512, 128, None), (400, 160, None), (320, 160, 320), (1024, 200, 600), (511, 100, 300)]
WINDOWS = ["hann", "hamming", "blackman", "bartlett"]


def librosa_stft(
    sound: Samples, n_fft: int, hop: int, win: int | None, window: object, center: bool, pad: str
) -> Samples:
    # Padded here: with reflect, librosa 0.11 gets the last frame wrong for some lengths (it reflects a slice of the end
    # that can be one sample short).
    padded = np.pad(sound, n_fft // 2, mode=pad) if center else sound  # type: ignore[call-overload]
    return librosa.stft(padded, n_fft=n_fft, hop_length=hop, win_length=win, window=window, center=False)


@pytest.mark.parametrize(("n_fft", "hop", "win"), FRAMINGS)
@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize(("center", "pad"), [(True, "reflect"), (True, "constant"), (False, "reflect")])
def test_stft_equals_librosa(n_fft: int, hop: int, win: int | None, window: str, center: bool, pad: str) -> None:
    stft = f.STFT(n_fft, hop, win, window, center=center, pad_mode=pad)  # type: ignore[arg-type]
    found = stft(torch.from_numpy(SOUND)).numpy()
    expected = librosa_stft(SOUND, n_fft, hop, win, window, center, pad)
    assert found.shape == expected.shape == (stft.bins, stft.frames(len(SOUND)))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_stft_equals_librosa_with_its_own_padding() -> None:
    found = f.STFT(400, 160, pad_mode="constant")(torch.from_numpy(SOUND)).numpy()
    np.testing.assert_allclose(found, librosa.stft(SOUND, n_fft=400, hop_length=160), atol=1e-5)


@pytest.mark.parametrize(("n_fft", "hop", "win"), FRAMINGS)
@pytest.mark.parametrize("window", ["hann", "hamming"])
@pytest.mark.parametrize("length", [None, 15000, 16100])
def test_inverse_stft_equals_librosa_and_gives_the_sound_back(
    n_fft: int, hop: int, win: int | None, window: str, length: int | None
) -> None:
    spectrum = f.STFT(n_fft, hop, win, window)(torch.from_numpy(SOUND))
    found = f.InverseSTFT(n_fft, hop, win, window)(spectrum, length).numpy()
    expected = librosa.istft(
        spectrum.numpy(), n_fft=n_fft, hop_length=hop, win_length=win, window=window, length=length
    )
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=1e-5)
    size = min(len(found), len(SOUND))
    np.testing.assert_allclose(found[:size], SOUND[:size], atol=1e-5)


def test_inverse_stft_without_centering_gives_the_sound_back() -> None:
    spectrum = f.STFT(400, 100, center=False)(torch.from_numpy(SOUND))
    found = f.InverseSTFT(400, 100, center=False)(spectrum).numpy()
    np.testing.assert_allclose(found[50:-50], SOUND[50 : len(found) - 50], atol=1e-4)
    assert np.isfinite(found).all()
    assert np.abs(found).max() < 1


@pytest.mark.parametrize("scale", ["slaney", "htk"])
@pytest.mark.parametrize("norm", ["slaney", None])
@pytest.mark.parametrize(("n_fft", "n_mels", "f_min", "f_max"), [(400, 40, 0.0, None), (1024, 64, 80.0, 7600.0)])
def test_mel_equals_librosa(
    scale: str, norm: str | None, n_fft: int, n_mels: int, f_min: float, f_max: float | None
) -> None:
    limits = {"fmin": f_min, "fmax": f_max, "htk": scale == "htk", "norm": norm, "n_mels": n_mels}
    filters = f.mel_filters(16000, n_fft, n_mels, f_min, f_max, scale, norm)  # type: ignore[arg-type]
    np.testing.assert_allclose(filters.numpy(), librosa.filters.mel(sr=16000, n_fft=n_fft, **limits), atol=1e-7)
    for power in (1.0, 2.0):
        mel = f.MelSpectrogram(
            16000,
            n_fft,
            160,
            n_mels,
            f_min=f_min,
            f_max=f_max,
            scale=scale,
            norm=norm,
            power=power,
            pad_mode="constant",
        )  # type: ignore[arg-type]
        expected = librosa.feature.melspectrogram(y=SOUND, sr=16000, n_fft=n_fft, hop_length=160, power=power, **limits)
        np.testing.assert_allclose(mel(torch.from_numpy(SOUND)).numpy(), expected, rtol=1e-4, atol=1e-5)


def test_mel_scales_are_inverted() -> None:
    from onsei.audio.features.mel import hz_to_mel, mel_to_hz

    hertz = torch.tensor([0.0, 100, 999, 1000, 1001, 7999], dtype=torch.float64)
    for scale in ("slaney", "htk"):
        np.testing.assert_allclose(hz_to_mel(hertz, scale), librosa.hz_to_mel(hertz.numpy(), htk=scale == "htk"))
        np.testing.assert_allclose(mel_to_hz(hz_to_mel(hertz, scale), scale), hertz, atol=1e-9)


@pytest.mark.parametrize("lifter", [0, 22])
@pytest.mark.parametrize(("n_mfcc", "n_mels"), [(13, 40), (40, 40), (20, 64)])
def test_mfcc_equals_librosa(lifter: int, n_mfcc: int, n_mels: int) -> None:
    module = f.MFCC(16000, n_mfcc, lifter=lifter, n_fft=1024, hop_length=256, n_mels=n_mels, pad_mode="constant")
    expected = librosa.feature.mfcc(
        y=SOUND, sr=16000, n_mfcc=n_mfcc, lifter=lifter, n_fft=1024, hop_length=256, n_mels=n_mels
    )
    np.testing.assert_allclose(module(torch.from_numpy(SOUND)).numpy(), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("top_db", [80.0, 30.0, None])
@pytest.mark.parametrize("ref", [1.0, 0.02])
@pytest.mark.parametrize("amin", [1e-10, 1e-4])
def test_decibels_equal_librosa(top_db: float | None, ref: float, amin: float) -> None:
    power = np.abs(np.random.default_rng(0).standard_normal((20, 30)).astype(np.float32)) ** 8
    how = {"ref": ref, "amin": amin, "top_db": top_db}
    np.testing.assert_allclose(
        f.power_to_db(torch.from_numpy(power), **how), librosa.power_to_db(power, **how), atol=1e-4
    )
    found = f.amplitude_to_db(torch.from_numpy(power), **how)
    np.testing.assert_allclose(found, librosa.amplitude_to_db(power, **how), atol=1e-4)
    peak = f.power_to_db(torch.from_numpy(power), ref=torch.tensor(power.max()))
    np.testing.assert_allclose(peak, librosa.power_to_db(power, ref=np.max), atol=1e-4)


@pytest.mark.parametrize("momentum", [0.0, 0.99])
def test_griffin_lim_equals_librosa(momentum: float) -> None:
    magnitude = np.abs(librosa.stft(SOUND, n_fft=512, hop_length=128))
    module = f.GriffinLim(512, 128, iterations=8, momentum=momentum, pad_mode="constant")
    found = module(torch.from_numpy(magnitude), seed=None).numpy()
    expected = librosa.griffinlim(magnitude, n_iter=8, hop_length=128, n_fft=512, momentum=momentum, init=None)
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_griffin_lim_finds_the_sound_of_its_seed() -> None:
    stft = f.STFT(512, 128)
    magnitude = stft(torch.from_numpy(SOUND)).abs()

    def distance(iterations: int) -> float:
        sound = f.GriffinLim(512, 128, iterations=iterations)(magnitude, len(SOUND), seed=1)
        return float((stft(sound).abs() - magnitude).norm() / magnitude.norm())

    assert distance(32) < 0.6 * distance(0)
    module = f.GriffinLim(512, 128, iterations=2)
    assert torch.equal(module(magnitude, seed=3), module(magnitude, seed=3))
    assert not torch.allclose(module(magnitude, seed=3), module(magnitude, seed=4), atol=1e-3)


def deepspeech(sound: Samples) -> torch.Tensor:
    """The recipe of deepspeech.pytorch: a periodic window, and zeros around the sound."""
    magnitude = np.abs(librosa_stft(sound, 320, 160, 320, "hamming", True, "constant"))
    logs = torch.from_numpy(np.log1p(magnitude))
    return (logs - logs.mean()) / logs.std()


def test_log_spectrogram_equals_the_recipe_of_deepspeech() -> None:
    module = f.LogSpectrogram(16000)
    found = module(torch.from_numpy(SOUND))
    assert found.shape == (161, module.frames(len(SOUND))) == (module.bins, 102)
    torch.testing.assert_close(found, deepspeech(SOUND), atol=1e-4, rtol=0)


def test_frames_between_frames_are_those_of_a_sound_that_begins_later() -> None:
    sound = torch.from_numpy(hiss(0.5))
    module = f.LogSpectrogram()
    whole, later = module.logs(sound), module.logs(sound[80:])  # half a stride
    every = torch.arange(whole.shape[-1], dtype=torch.float64)
    torch.testing.assert_close(module.logs(sound, every), whole)
    torch.testing.assert_close(module(sound, every), module(sound))
    between = module.logs(sound, every[:-1] + 0.5)
    torch.testing.assert_close(between[:, 1:-2], later[:, 1 : between.shape[-1] - 2])  # away from what is padded
    beyond = module.logs(sound, torch.tensor([-3.0, 0.0, 1e6], dtype=torch.float64))
    torch.testing.assert_close(beyond, torch.stack([whole[:, 0], whole[:, 0], whole[:, -1]], 1))
    both = module.logs(torch.stack([sound, sound.flip(0)]), every[::2])
    torch.testing.assert_close(both[0], whole[:, ::2])


def test_log_spectrogram_of_silence_is_zero_and_not_nan() -> None:
    assert torch.equal(f.LogSpectrogram()(torch.zeros(2, 16000)), torch.zeros(2, 161, 101))


MODULES: list[nn.Module] = [
    f.STFT(400, 160),
    f.Spectrogram(400, 160, power=1.0),
    f.Spectrogram(400, 160, power=1.5),
    f.MelSpectrogram(n_mels=40),
    f.MFCC(n_mels=40),
    f.LogSpectrogram(),
]


@pytest.mark.parametrize("module", MODULES, ids=lambda m: type(m).__name__)
def test_a_batch_gives_what_each_clip_gives(module: nn.Module) -> None:
    sounds = torch.from_numpy(np.stack([hiss(0.3, seed=s, amplitude=0.1**s) for s in range(6)])).reshape(2, 3, -1)
    batch = module(sounds)
    assert batch.shape[:2] == (2, 3)
    torch.testing.assert_close(batch[1, 2], module(sounds[1, 2]), atol=1e-4, rtol=1e-4)
    assert not module.state_dict()


def test_inverse_and_griffin_lim_of_a_batch_give_what_each_clip_gives() -> None:
    sounds = torch.from_numpy(np.stack([hiss(0.3, seed=s) for s in range(4)])).reshape(2, 2, -1)
    spectrum = f.STFT(400, 100)(sounds)
    inverse, lim = f.InverseSTFT(400, 100), f.GriffinLim(400, 100, iterations=3)
    torch.testing.assert_close(inverse(spectrum)[1, 0], inverse(spectrum[1, 0]))
    torch.testing.assert_close(lim(spectrum.abs())[1, 0], lim(spectrum[1, 0].abs()), atol=1e-4, rtol=1e-4)


@given(
    n_fft=st.integers(2, 64), hop=st.integers(1, 70), samples=st.integers(0, 300), center=st.booleans(),
    pad=st.sampled_from(["reflect", "constant"]),
)  # fmt: skip
@settings(max_examples=200)
def test_frames_are_counted_beforehand(n_fft: int, hop: int, samples: int, center: bool, pad: str) -> None:
    stft = f.STFT(n_fft, hop, center=center, pad_mode=pad)  # type: ignore[arg-type]
    if stft.frames(samples) == 0:
        with pytest.raises(AudioError, match=f"at least {stft.shortest} needed"):
            stft(torch.zeros(samples))
    else:
        assert stft(torch.zeros(samples)).shape == (n_fft // 2 + 1, stft.frames(samples))


@pytest.mark.parametrize("module", [f.Spectrogram(64, 16, power=1.0), f.MelSpectrogram(n_mels=20), f.LogSpectrogram()])
def test_gradients_reach_the_sound_and_are_finite(module: nn.Module) -> None:
    sound = torch.from_numpy(np.concatenate([np.zeros(1000, np.float32), SOUND[:2000]])).requires_grad_()
    module(sound).sum().backward()
    assert sound.grad is not None
    assert sound.grad.isfinite().all()
    assert sound.grad[1500:].abs().max() > 0


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: f.STFT(0),
        lambda: f.STFT(400, 0),
        lambda: f.STFT(400, 160, 500),
        lambda: f.STFT(400, window="hat"),
        lambda: f.STFT(400, pad_mode="wrap"),
        lambda: f.Spectrogram(400, power=0),
        lambda: f.LogSpectrogram(window_size=0),
        lambda: f.MelSpectrogram(f_max=9000),
        lambda: f.MelSpectrogram(f_min=5000, f_max=4000),
        lambda: f.MelSpectrogram(n_fft=200, n_mels=128),
        lambda: f.MelSpectrogram(scale="bark"),
        lambda: f.MFCC(n_mfcc=100, n_mels=40),
        lambda: f.MFCC(lifter=-1, n_mels=40),
        lambda: f.GriffinLim(400, momentum=1),
        lambda: f.InverseSTFT(400)(torch.zeros(100, 5) + 0j),
        lambda: f.InverseSTFT(400)(torch.zeros(201, 0) + 0j),
        lambda: f.power_to_db(torch.ones(2), amin=0),
        lambda: f.power_to_db(torch.ones(2), top_db=-1),
    ],
)
def test_settings_that_do_not_fit_are_refused(wrong: object) -> None:
    with pytest.raises(AudioError):
        wrong()  # type: ignore[operator]
