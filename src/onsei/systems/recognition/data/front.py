"""The front end: from samples to what the network sees.

D feature rows, T frames.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from onsei.audio.features import LogSpectrogram, MelSpectrogram, spectrum
from onsei.systems.recognition.config import Features

LEVEL = 0.1
"""Root mean square that sounds are brought to before the mel spectrogram."""
_MARGIN = 0.03
"""Seconds of silence that are left at both ends where it is cut."""


class FrontEnd:
    """From samples to what the network sees: (D, T), normalized over the utterance.

    Args:
        options: kind of features and their times.
    """

    def __init__(self, options: Features) -> None:
        self.options = options

    @cached_property
    def spectrogram(self) -> torch.nn.Module:
        """The transform, before loudness, logarithm and norm of the mel kind."""
        o = self.options
        if o.kind == "spectrogram":
            return LogSpectrogram(o.sample_rate, o.window_size, o.window_stride, o.window)
        window, hop = round(o.sample_rate * o.window_size), round(o.sample_rate * o.window_stride)
        size = 1 << (window - 1).bit_length()
        return MelSpectrogram(
            o.sample_rate,
            size,
            hop,
            o.n_mels,
            win_length=window,
            window=o.window,
            scale="htk",
            norm=None,
        )

    def __call__(self, samples: NDArray[np.float32], *, norm: bool = True) -> NDArray[np.float32]:
        """Features of samples, shape (T',), at the options' sampling rate: shape (D, T).

        Without ``norm`` spectrograms are left as they are, for changes after which they are normalized anyway.
        """
        return self.at(samples, None, norm=norm) if self.looks_anywhere and not norm else self.heard(samples)[0]

    @property
    def looks_anywhere(self) -> bool:
        """Whether ``at`` can be asked: frames may stand between those of the transform."""
        return self.options.kind == "spectrogram"

    def at(
        self, samples: NDArray[np.float32], moments: NDArray[np.float64] | None, *, norm: bool
    ) -> NDArray[np.float32]:
        """The log spectrogram at ``moments``, in frames; normalized with ``norm``. Shapes as of a call."""
        transform = self.spectrogram
        assert isinstance(transform, LogSpectrogram)
        with torch.no_grad():
            places = None if moments is None else torch.from_numpy(moments)
            found = (transform if norm else transform.logs)(torch.from_numpy(samples), places)
        features: NDArray[np.float32] = found.numpy()
        return features

    def heard(self, samples: NDArray[np.float32]) -> tuple[NDArray[np.float32], float]:
        """Features of samples, (D, T), and the time at which the first frame stands, in seconds: silence may be cut."""
        if self.options.kind == "wave":
            return (_standardized(samples) if self.options.standardize else samples[None]), 0.0
        with torch.no_grad():
            sound, first = torch.from_numpy(samples), 0
            if self.options.kind == "mel":
                power = self.spectrogram(LEVEL * sound / sound.square().mean().sqrt().clamp(min=1e-5))
                if self.options.silence:
                    first, last = self._sounding(power)
                    power = power[:, first:last]
                x = normalized((power + self.options.floor).log())
            else:
                x = self.spectrogram(sound)
        features: NDArray[np.float32] = x.numpy()
        return features, first * self.options.window_stride

    def _sounding(self, power: Tensor) -> tuple[int, int]:
        """First and last frame but one of power, (D, T), between silent ends."""
        level = power.mean(0)
        loud = torch.nonzero(level >= level.max() * 10 ** (-self.options.silence / 10))
        margin = round(_MARGIN / self.options.window_stride)
        return max(0, int(loud[0]) - margin), int(loud[-1]) + margin + 1

    def frames(self, seconds: float) -> int:
        """Frames of a sound of ``seconds``; of samples, their number."""
        return self.frames_of(int(seconds * self.options.sample_rate))

    def frames_of(self, samples: int) -> int:
        """As ``frames``, for a number of samples at the options' sampling rate."""
        if self.options.kind == "wave":
            return samples
        return samples // round(self.options.sample_rate * self.options.window_stride) + 1


def normalized(x: Tensor, *, inplace: bool = False) -> Tensor:
    """x, (D, T), with mean 0 and standard deviation 1 over the whole utterance."""
    centered = x.sub_(x.mean()) if inplace else x - x.mean()
    # A dot product over memory as it lies: many times faster on a CPU than torch.std over two dimensions.
    flat = (centered.T if centered.stride(0) == 1 else centered).reshape(-1)
    deviation = (torch.dot(flat, flat) / max(1, x.numel() - 1)).sqrt()
    return centered.div_(deviation + 1e-5)


def _standardized(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Samples, (T,), with mean 0 and deviation 1 as transformers makes them for wav2vec 2.0: (1, T)."""
    scaled: NDArray[np.float32] = (samples - samples.mean()) / np.sqrt(samples.var() + 1e-7)
    return scaled[None]


def by_rows(x: Tensor) -> Tensor:
    """x, (D, T), each row with mean 0 and standard deviation 1 over the utterance: what a microphone adds is gone."""
    return (x - x.mean(1, keepdim=True)) / (x.std(1, unbiased=False, keepdim=True) + 1e-5)


def stored_rows(x: NDArray[np.float32], options: Features) -> NDArray[np.float32]:
    """Stored features, (K, T), as the network reads them before they are normalized: (D, T).

    Raises:
        AudioError: fewer bands than cepstral coefficients.
    """
    if not options.bands:
        return x
    bands: NDArray[np.float32] = spectrum(torch.from_numpy(x), options.bands, options.cosines).numpy()
    return bands


def network_bins(options: Features) -> int:
    """Rows D that the network reads, where ``options.bins`` is known."""
    return options.bands if options.kind == "precomputed" and options.bands else options.bins
