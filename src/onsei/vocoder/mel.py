"""Log-mel spectrograms by a stored definition, and the ways between recordings and the sound that frames stand for.

B batch, T samples, F frames, M mel bands.
"""

from __future__ import annotations

from math import log

import torch
from torch import Tensor, nn

from onsei.audio.features import STFT, mel_filters
from onsei.errors import AudioError
from onsei.vocoder.definition import Log, MelDefinition

__all__ = ["LogMel", "MelDefinition", "aligned", "deemphasized", "emphasized", "prepared", "restored", "to_natural"]

NEPERS: dict[Log, float] = {"natural": 1.0, "log10": log(10), "decibel": log(10) / 20}
"""Natural logarithm of an amplitude for each unit of a log-mel."""
_FADED = 1e-9


class LogMel(nn.Module):
    """Sound to log-mel by ``definition``; equals HiFi-GAN's own for its definitions, gradients included.

    Peak and pre-emphasis are no part of it: ``prepared`` is. A loss so compares generated sound, which is in the
    prepared domain, with prepared recordings.

    Raises:
        OnseiError: sizes or limits that do not fit together.
    """

    filters: Tensor

    def __init__(self, definition: MelDefinition) -> None:
        super().__init__()
        definition.check()
        self.definition = definition
        self.stft = STFT(definition.n_fft, definition.hop_length, definition.win_length, center=False)
        # Upstream's window is computed in 32 bits; in bands without sound its rounding is heard in the fifth digit.
        outside = definition.n_fft - definition.win_length
        window = nn.functional.pad(torch.hann_window(definition.win_length), (outside // 2, outside - outside // 2))
        self.stft.window.copy_(window)
        self.register_buffer("filters", filters(definition).T.contiguous(), persistent=False)  # (bins, M)

    def forward(self, samples: Tensor) -> Tensor:
        """``samples`` (B, T) → (B, M, F), F = ``definition.frames(T)``.

        Raises:
            AudioError: fewer samples than one frame needs.
        """
        mel = self.definition
        amplitude = (self.amplitude(samples) if mel.quantity == "magnitude" else self.power(samples)) @ self.filters
        if mel.quantity == "power":
            amplitude = amplitude.clamp(min=mel.floor**2).sqrt()
        return (amplitude.clamp(min=mel.floor).log() / NEPERS[mel.log]).transpose(-1, -2)

    def power(self, samples: Tensor) -> Tensor:
        """Power of each bin: (B, T) → (B, F, bins)."""
        if samples.shape[-1] < self.definition.shortest:
            raise AudioError(
                f"sound of {samples.shape[-1]} samples: a frame of this mel needs {self.definition.shortest}",
                "leave the clip out, or add silence",
            )
        spectra = self.stft.spectra(mirrored(samples, *self.definition.pads))
        return spectra.real.square() + spectra.imag.square() + self.definition.epsilon

    def amplitude(self, samples: Tensor) -> Tensor:
        """Magnitude of each bin: (B, T) → (B, F, bins)."""
        return self.power(samples).sqrt()


def filters(definition: MelDefinition) -> Tensor:
    """The definition's mel filters, (M, bins)."""
    mel = definition
    sizes = (mel.sample_rate, mel.n_fft, mel.n_mels, mel.f_min, mel.top, mel.scale)
    return mel_filters(*sizes, norm="slaney" if mel.norm == "slaney" else None)


def to_natural(mel: Tensor, definition: MelDefinition) -> Tensor:
    """A log-mel of ``definition`` as natural logarithms of amplitudes."""
    return mel * NEPERS[definition.log]


def mirrored(samples: Tensor, before: int, after: int) -> Tensor:
    """(..., T) with its mirror image before and after; again and again where it is shorter than that."""
    length = samples.shape[-1]
    if not before and not after:
        return samples
    if max(before, after) < length:
        left = samples[..., 1 : before + 1].flip(-1)
        right = samples[..., length - after - 1 : length - 1].flip(-1)
        return torch.cat([left, samples, right], dim=-1)
    place = torch.arange(-before, length + after, device=samples.device)
    place = place.remainder(max(1, 2 * (length - 1)))
    return samples[..., torch.minimum(place, 2 * (length - 1) - place).clamp(min=0)]


def prepared(samples: Tensor, definition: MelDefinition) -> Tensor:
    """A recording (..., T) as its mel is taken and as a vocoder makes it: at the peak, with pre-emphasis.

    Silence stays silence.
    """
    if definition.peak is not None:
        peak = samples.abs().amax(-1, keepdim=True)
        samples = samples * torch.where(peak > _FADED, definition.peak / peak.clamp(min=_FADED), 1.0)
    return emphasized(samples, definition.preemphasis)


def restored(samples: Tensor, definition: MelDefinition) -> Tensor:
    """Sound (..., T) that a vocoder made, as it is heard: without the definition's pre-emphasis."""
    return deemphasized(samples, definition.preemphasis)


def emphasized(samples: Tensor, factor: float) -> Tensor:
    """y[t] = x[t] - a x[t-1], of (..., T)."""
    if not factor:
        return samples
    return samples - factor * nn.functional.pad(samples, (1, 0))[..., :-1]


def deemphasized(samples: Tensor, factor: float) -> Tensor:
    """x[t] = y[t] + a x[t-1], of (..., T): the inverse of ``emphasized``.

    1 / (1 - a z) is the product of 1 + a^n z^n over n = 1, 2, 4, …: a few passes over the sound, and no recursion.
    """
    reach, weight = 1, factor
    while weight > _FADED and reach < samples.shape[-1]:
        samples = samples + weight * nn.functional.pad(samples, (reach, 0))[..., :-reach]
        reach, weight = 2 * reach, weight * weight
    return samples


def aligned(samples: Tensor, definition: MelDefinition) -> Tensor:
    """The part (..., F · hop) of a recording (..., T) that its F frames stand for, zeros where it lies outside.

    A generator makes exactly this part. With padding center it begins half a hop before the recording.
    """
    length = samples.shape[-1]
    wanted = definition.samples(definition.frames(length))
    start = definition.start
    padded = nn.functional.pad(samples, (max(0, -start), max(0, start + wanted - length)))
    begin = max(0, start)
    return padded[..., begin : begin + wanted]


def placed(samples: Tensor, definition: MelDefinition, length: int) -> Tensor:
    """Sound (..., F · hop) of a mel, where it lies in a recording of ``length`` samples: the inverse of ``aligned``."""
    start = definition.start
    shifted = nn.functional.pad(samples, (start, 0)) if start > 0 else samples[..., -start:]
    return nn.functional.pad(shifted, (0, max(0, length - shifted.shape[-1])))[..., :length]
