"""Spectral features of fixed definition, 50 frames a second: what units are made of where no network is trained yet.

B batch, T samples, F frames, D features.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from onsei.audio.features.mel import MelSpectrogram, cosines
from onsei.nn.frames import Frames
from onsei.nn.masks import length_mask

RATE = 16000
"""Sampling rate that everything here works at, in Hz."""
WINDOW, HOP = 400, 320
"""Samples of a frame, and from frame to frame: those of wav2vec 2.0, so that frames of all kinds lie at one place."""
FRAMES = Frames.unpadded((WINDOW,), (HOP,))
"""How samples become frames."""
FRAME_SECONDS = HOP / RATE
Kind = Literal["mfcc", "mel"]
_FLOOR = 1e-8


class Spectral(nn.Module):
    """MFCC or log-mels with their slopes over time, each brought to mean 0 and deviation 1 over the clip (CMVN).

    A clip alone gives what it gives in a padded batch. Silence gives zeros.

    Args:
        kind: ``mfcc`` or ``mel``.
        size: coefficients or bands before slopes.
        slopes: orders of slopes that are added: 0, 1 or 2.
        normalize: bring each feature to mean 0 and deviation 1.
    """

    basis: Tensor

    def __init__(self, kind: Kind = "mfcc", size: int = 16, slopes: int = 1, *, normalize: bool = True) -> None:
        super().__init__()
        bands = size if kind == "mel" else 40
        self.mel = MelSpectrogram(RATE, 512, HOP, bands, f_min=20, win_length=WINDOW, center=False)
        basis = torch.eye(size) if kind == "mel" else cosines(bands, size, 0.0)
        self.register_buffer("basis", basis, persistent=False)
        self.slopes, self.normalize = slopes, normalize

    @property
    def dim(self) -> int:
        """Features D of a frame."""
        return len(self.basis) * (1 + self.slopes)

    def forward(self, samples: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Features (B, F, D) of sounds (B, T) at 16 kHz, zeros as padding, and the frames of each, (B,).

        Args:
            samples: level between -1 and 1.
            lengths: samples of each sound, (B,); all of T by default.
        """
        lengths = torch.full((len(samples),), samples.shape[-1]) if lengths is None else lengths.cpu()
        samples = nn.functional.pad(samples.float(), (0, max(0, WINDOW - samples.shape[-1])))
        frames = FRAMES.counts(lengths)
        # A window of 400 stands in the middle of 512 bins: zeros around the sound keep frames where they belong.
        around = (512 - WINDOW) // 2
        with torch.autocast(samples.device.type, enabled=False):
            power = self.mel(nn.functional.pad(samples, (around, around + HOP)))[..., : int(frames.max())]
            x = (self.basis @ power.clamp(min=_FLOOR).log()).transpose(-1, -2)  # (B, F, D)
        mask = length_mask(frames, x.size(1), x.device)[..., None]
        parts = [x * mask]
        for _ in range(self.slopes):
            parts.append(_slope(parts[-1], frames) * mask)
        x = torch.cat(parts, dim=-1)
        return (clip_standardized(x, mask) if self.normalize else x), frames


def _slope(x: Tensor, frames: Tensor) -> Tensor:
    """Regression slope over five frames (Furui 1986), the ends repeated: (B, F, D) → the same."""
    place = torch.arange(x.size(1))
    last = (frames - 1)[:, None]
    total = torch.zeros_like(x)
    for step in (1, 2):
        ahead = torch.minimum(place + step, last).to(x.device)[..., None].expand_as(x)
        behind = torch.minimum((place - step).clamp(min=0), last).to(x.device)[..., None].expand_as(x)
        total += step * (x.gather(1, ahead) - x.gather(1, behind))
    return total / 10


def clip_standardized(x: Tensor, mask: Tensor) -> Tensor:
    """Each feature at mean 0 and deviation 1 over its clip: (B, F, D), zeros where ``mask`` (B, F, 1) is False."""
    count = mask.sum(1, keepdim=True).clamp(min=1)
    centered = (x - x.sum(1, keepdim=True) / count) * mask
    deviation = (centered.square().sum(1, keepdim=True) / count).sqrt()
    return centered / deviation.clamp(min=1e-3) * (deviation > 1e-3)  # what never changes is rounding
