"""The convolutional front of wav2vec 2.0's family as matrix products, for inference on a processor.

B batch, T samples, F frames, C channels.

Three things make it faster than convolutions one by one. Frames come before channels, so that a convolution of stride
2 is a product with what lies in memory already, and nothing is rearranged. Of its three taps two meet every second
frame: two of their outputs take three products in place of four (the minimal filtering algorithm F(2, 2) of Winograd
1980, "Arithmetic Complexity of Computations"). And the group norm behind the first convolution is folded into its
weights: its mean and variance follow from those of ten samples in a row.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm

from onsei.nn.products import Product, quicken_linear
from onsei.units.positions import QuickConv


def quicken(model: Any) -> None:
    """Put a ``QuickFront`` in place of the convolutional front of transformers' ``model``, if it has one that fits, and
    quick products in place of its linear layers.

    The model answers as before, to rounding, but is not one to save or train.
    """
    body = getattr(model, str(getattr(model, "base_model_prefix", "")), model)
    front = getattr(body, "feature_extractor", None)
    quicken_linear(model)
    if front is not None and hasattr(front, "conv_layers") and QuickFront.fits(front):
        body.feature_extractor = QuickFront(front, fixed=True)
        positions = getattr(getattr(body, "encoder", None), "pos_conv_embed", None)
        if positions is not None and QuickConv.fits(getattr(positions, "conv", None)):
            positions.conv = QuickConv(positions.conv)


class QuickFront(nn.Module):
    """What transformers' ``feature_extractor`` does, to 1e-4 of its largest value. Weights are those of ``front``.

    Each sound is worked on alone, over its own length: padding cannot leak.

    Args:
        front: transformers' stack of convolutions over samples.
        fixed: whether its weights stay as they are: what is computed of them is kept.
    """

    def __init__(self, front: Any, *, fixed: bool = False) -> None:
        super().__init__()
        self.front = front
        self._taps = [_taps(layer.conv, often=True) for layer in front.conv_layers[1:]] if fixed else []

    @staticmethod
    def fits(front: Any) -> bool:
        """Whether the stack is one that is done here: known norms, GELU, float32 weights on a processor."""
        layers = front.conv_layers
        return all(
            layer.conv.weight.dtype == torch.float32
            and layer.conv.weight.device.type == "cpu"
            and layer.conv.groups == 1
            and _is_gelu(layer.activation)
            and isinstance(getattr(layer, "layer_norm", None), nn.LayerNorm | nn.GroupNorm | None)
            and (number == 0 or not isinstance(getattr(layer, "layer_norm", None), nn.GroupNorm))
            and _channels_apart(getattr(layer, "layer_norm", None))
            for number, layer in enumerate(layers)
        )

    def forward(self, samples: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Features, (B, C, F), of samples, (B, T); zeros behind the frames of sounds shorter than T.

        Args:
            samples: shape (B, T), float32.
            lengths: samples of each sound, shape (B,); T by default. None is shorter than the first frame.
        """
        sizes = [samples.size(1)] * len(samples) if lengths is None else lengths.tolist()
        rows = [self._one(sound[:size]) for sound, size in zip(samples, sizes, strict=True)]
        if len(rows) == 1:
            return rows[0].T[None]
        frames = max(map(len, rows))
        out = samples.new_zeros(len(rows), frames, rows[0].size(1))
        for row, found in zip(out, rows, strict=True):
            row[: len(found)] = found
        return out.transpose(1, 2)

    def _one(self, sound: Tensor) -> Tensor:
        """Features, (F, C), of one sound, (T,)."""
        first, *others = self.front.conv_layers
        x = _first(first, sound)
        every = self._taps or [_taps(layer.conv, often=False) for layer in others]
        for layer, taps in zip(others, every, strict=True):
            x = _activated(layer, _strided(x, layer.conv, taps))
        return x


def _first(layer: Any, sound: Tensor) -> Tensor:
    conv, norm = layer.conv, getattr(layer, "layer_norm", None)
    windows = sound.unfold(0, conv.kernel_size[0], conv.stride[0])  # (F, K)
    weight, bias = conv.weight[:, 0], conv.bias
    if isinstance(norm, nn.GroupNorm):
        exact = windows.double()
        mean = exact.mean(0)
        spread = exact - mean
        wide = weight.double()
        variance = ((wide @ (spread.T @ spread / len(exact))) * wide).sum(1).clamp(min=0)
        scale = norm.weight.double() * torch.rsqrt(variance + norm.eps)
        # A bias of the convolution is taken away again by the mean.
        bias = (norm.bias.double() - scale * (wide @ mean)).float()
        weight = (wide * scale[:, None]).float()
    x = windows @ weight.T if bias is None else torch.addmm(bias, windows, weight.T)
    if isinstance(norm, nn.LayerNorm):
        x = layer_norm(x, norm.normalized_shape, norm.weight, norm.bias, norm.eps)
    return _gelu(x)


def _activated(layer: Any, x: Tensor) -> Tensor:
    norm = getattr(layer, "layer_norm", None)
    if isinstance(norm, nn.LayerNorm):
        x = layer_norm(x, norm.normalized_shape, norm.weight, norm.bias, norm.eps)
    return _gelu(x)


def _gelu(x: Tensor) -> Tensor:
    gated: Tensor = torch.ops.aten.gelu_(x)
    return gated


def _taps(conv: nn.Conv1d, *, often: bool) -> list[Product]:
    """The weights of each tap, (C, C'); of three in steps of two also the sum of the outer ones."""
    taps = list(conv.weight.detach().permute(2, 1, 0).contiguous())
    if _is_paired(conv):
        taps.append(taps[0] + taps[2])
    return [Product(tap, often=often) for tap in taps]


def _is_paired(conv: nn.Conv1d) -> bool:
    return conv.kernel_size[0] == 3 and conv.stride[0] == 2


def _strided(x: Tensor, conv: nn.Conv1d, taps: list[Product]) -> Tensor:
    """The convolution of x, (F, C)."""
    width, stride = conv.kernel_size[0], conv.stride[0]
    frames = (len(x) - width) // stride + 1
    if _is_paired(conv) and frames > 1:
        out = _three_by_two(x, taps, frames)
    else:
        out = x.new_zeros(frames, conv.out_channels)
        for first, tap in enumerate(taps[:width]):
            tap.add(out, x[first : first + stride * (frames - 1) + 1 : stride])
    if conv.bias is not None:
        out += conv.bias
    return out


def _three_by_two(x: Tensor, taps: list[Product], frames: int) -> Tensor:
    """Three taps in steps of two: y[t] = x[2t] a + x[2t+1] b + x[2t+2] c, for ``frames`` of them."""
    a, b, c, outer = taps
    out = b(x[1 : 2 * frames : 2])  # (F', C')
    even = x[0 : 2 * frames + 1 : 2]  # (F' + 1, C)
    pairs = frames // 2
    left, middle, right = even[0 : 2 * pairs : 2], even[1 : 2 * pairs : 2], even[2 : 2 * pairs + 1 : 2]
    both = out[: 2 * pairs].view(pairs, 2, -1)
    both += outer(middle)[:, None]
    a.add(both[:, 0], left - middle)
    c.add(both[:, 1], right - middle)
    if frames % 2:
        a.add(out[-1:], even[-2:-1])
        c.add(out[-1:], even[-1:])
    return out


def _is_gelu(activation: Any) -> bool:
    probe = torch.tensor([-1.5, -0.2, 0.7, 2.0])
    try:
        return bool(torch.allclose(activation(probe), torch.nn.functional.gelu(probe), atol=1e-7))
    except Exception:  # whatever else an activation may want
        return False


def _channels_apart(norm: Any) -> bool:
    """Whether a group norm has a group a channel and weights of its own; another norm has none to ask."""
    if not isinstance(norm, nn.GroupNorm):
        return True
    return norm.num_groups == norm.num_channels and norm.affine
