"""Two-dimensional convolutions over padded spectrograms whose padding never leaks into the sound.

B batch, C channels, D frequency bins, T frames.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad

from onsei.nn.masks import length_mask


class MaskedConv(nn.Module):
    """Convolutions, batch norms and activations in sequence; padding is zero again after each of them.

    An item so gives the same in a padded batch as alone. Batch norms take their statistics from sound only, unless
    ``count_padding``: then padding counts too.

    Args:
        layers: applied in order; every ``Conv2d`` needs ``padding = kernel // 2`` on the time axis.
        count_padding: count padding in the batch norms' training statistics, and do not clear it in the input.
    """

    def __init__(self, layers: nn.Sequential, count_padding: bool = False) -> None:
        super().__init__()
        self.seq_module = layers
        self.count_padding = count_padding

    def forward(self, x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Apply the layers to x, (B, C, D, T), of ``lengths`` frames, (B,). Returns the like of what came in."""
        mask = length_mask(lengths, x.size(-1), x.device)
        if not self.count_padding:
            x = x * mask[:, None, None]
        for layer in self.seq_module:
            if isinstance(layer, nn.Conv2d):
                x = _conv(layer, x)
                lengths = conv_lengths(lengths, layer)
                mask = length_mask(lengths, x.size(-1), x.device)
            elif isinstance(layer, nn.BatchNorm2d) and self.training and not self.count_padding:
                x = _over_sound(layer, x, mask)
            else:
                x = layer(x)
            x = x * mask[:, None, None]
        return x, lengths


def _conv(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """``conv`` of x, (B, C, D, T). Few bins are padded by hand: on CPUs torch's backward pass through a kernel about
    twice as long as D, whose padding it makes itself, writes outside its memory and crashes.
    """
    above, aside = cast(tuple[int, int], conv.padding)
    if x.size(2) > conv.kernel_size[0] or not above:
        y: Tensor = conv(x)
        return y
    padded = pad(x, (0, 0, above, above))
    return conv2d(padded, conv.weight, conv.bias, conv.stride, (0, aside), conv.dilation, conv.groups)


def conv_lengths(lengths: Tensor, conv: nn.Conv2d) -> Tensor:
    """Frames that ``conv`` gives for inputs of ``lengths`` frames, counted along the last axis."""
    span = conv.dilation[-1] * (conv.kernel_size[-1] - 1) + 1
    padding = conv.padding[-1]
    assert isinstance(padding, int)
    return torch.div(lengths + 2 * padding - span, conv.stride[-1], rounding_mode="floor") + 1


def _over_sound(norm: nn.BatchNorm2d, x: Tensor, mask: Tensor) -> Tensor:
    """Apply ``norm`` to the frames of x, (B, C, D, T), where ``mask``, (B, T), is true; zeros elsewhere."""
    frames = x.permute(0, 3, 1, 2)  # (B, T, C, D)
    # Contiguous: where channels come last, torch's backward pass through a batch norm of width 1 is wrong on CPUs.
    normed = norm(frames[mask].contiguous()[..., None])[..., 0]  # (N, C, D)
    return torch.zeros_like(frames).masked_scatter(mask[..., None, None], normed.to(frames.dtype)).permute(0, 2, 3, 1)
