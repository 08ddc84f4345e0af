"""MuQ's network: convolutions over a mel, then conformers with rotary positions (Gulati et al. 2020).

B batch, T samples, M mel bands, F frames, C channels, H heads, D channels of a head. Names of the parts are those of
the released checkpoints.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import glu, pad, relu, scaled_dot_product_attention, silu

from onsei.nn.rotary import angles, rotate
from onsei.units.muq.mel import N_FFT, SAMPLE_RATE, MuQMel


@dataclass(frozen=True)
class Shape:
    """Sizes of a MuQ; by default of MuQ-large-msd-iter."""

    n_mels: int = 128
    hop_length: int = 240
    conv_dim: int = 512
    """Channels of the convolutions."""
    encoder_dim: int = 1024
    """C."""
    encoder_depth: int = 12
    """Conformer layers."""
    num_attention_heads: int = 16
    intermediate_size: int = 4096
    """Channels of the feed-forward layers."""
    conv_depthwise_kernel_size: int = 31
    rotary_embedding_base: float = 10000.0
    layer_norm_eps: float = 1e-5
    mean: float = 6.768444971712967
    """Of the mel, in dB."""
    deviation: float = 18.417922652295623
    """Of the mel, in dB."""


def _half(count: int) -> int:
    """What a convolution in steps of two leaves of ``count``."""
    return (count + 1) // 2


class Residual(nn.Module):
    """Two convolutions over time and frequency beside one, all in steps of two."""

    def __init__(self, before: int, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, channels, 3, stride=2, padding=1)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(before, channels, 3, stride=2, padding=1)
        self.bn3 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """x, (B, C, M, F)."""
        inner = self.bn2(self.conv2(relu(self.bn1(self.conv1(x)))))
        return relu(self.bn3(self.conv3(x)) + inner)


class Front(nn.Module):
    """Mel to vectors: a quarter of its frames."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.conv = nn.Sequential(Residual(1, shape.conv_dim), Residual(shape.conv_dim, shape.conv_dim))
        self.linear = nn.Linear(shape.conv_dim * _half(_half(shape.n_mels)), shape.encoder_dim)

    def forward(self, mel: Tensor) -> Tensor:
        """mel, (B, M, F'), to (B, F, C)."""
        out: Tensor = self.linear(self.conv(mel[:, None]).flatten(1, 2).transpose(1, 2))
        return out


class Attention(nn.Module):
    """Attention whose queries and keys are made of turned hidden states, its values of those that are not."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.linear_q = nn.Linear(dim, dim)
        self.linear_k = nn.Linear(dim, dim)
        self.linear_v = nn.Linear(dim, dim)
        self.linear_out = nn.Linear(dim, dim)

    def forward(self, x: Tensor, turns: tuple[Tensor, Tensor]) -> Tensor:
        """x, (B, F, C)."""
        turned = self._joined(rotate(self._split(x), turns))
        query, key = self._split(self.linear_q(turned)), self._split(self.linear_k(turned))
        heard = scaled_dot_product_attention(query, key, self._split(self.linear_v(x)))
        out: Tensor = self.linear_out(self._joined(heard))
        return out

    def _split(self, x: Tensor) -> Tensor:
        return x.view(*x.shape[:2], self.heads, -1).transpose(1, 2)  # (B, H, F, D)

    def _joined(self, x: Tensor) -> Tensor:
        return x.transpose(1, 2).flatten(2)


class FeedForward(nn.Module):
    """Two linear layers with Swish between."""

    def __init__(self, dim: int, inner: int) -> None:
        super().__init__()
        self.intermediate_dense = nn.Linear(dim, inner)
        self.output_dense = nn.Linear(inner, dim)

    def forward(self, x: Tensor) -> Tensor:
        """x, (B, F, C)."""
        out: Tensor = self.output_dense(silu(self.intermediate_dense(x)))
        return out


class Convolution(nn.Module):
    """A gated convolution over time, channel by channel."""

    def __init__(self, dim: int, kernel: int, eps: float) -> None:
        super().__init__()
        self.layer_norm = nn.LayerNorm(dim, eps)
        self.pointwise_conv1 = nn.Conv1d(dim, 2 * dim, 1, bias=False)
        self.depthwise_conv = nn.Conv1d(dim, dim, kernel, padding=(kernel - 1) // 2, groups=dim, bias=False)
        self.batch_norm = nn.BatchNorm1d(dim)
        self.pointwise_conv2 = nn.Conv1d(dim, dim, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """x, (B, F, C)."""
        gated = glu(self.pointwise_conv1(self.layer_norm(x).transpose(1, 2)), 1)
        out: Tensor = self.pointwise_conv2(silu(self.batch_norm(self.depthwise_conv(gated))))
        return out.transpose(1, 2)


class Layer(nn.Module):
    """Half a feed-forward layer, attention, convolution, another half, and a norm."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        dim, eps = shape.encoder_dim, shape.layer_norm_eps
        self.ffn1_layer_norm = nn.LayerNorm(dim, eps)
        self.ffn1 = FeedForward(dim, shape.intermediate_size)
        self.self_attn_layer_norm = nn.LayerNorm(dim, eps)
        self.self_attn = Attention(dim, shape.num_attention_heads)
        self.conv_module = Convolution(dim, shape.conv_depthwise_kernel_size, eps)
        self.ffn2_layer_norm = nn.LayerNorm(dim, eps)
        self.ffn2 = FeedForward(dim, shape.intermediate_size)
        self.final_layer_norm = nn.LayerNorm(dim, eps)

    def forward(self, x: Tensor, turns: tuple[Tensor, Tensor]) -> Tensor:
        """x, (B, F, C)."""
        x = x + 0.5 * self.ffn1(self.ffn1_layer_norm(x))
        x = x + self.self_attn(self.self_attn_layer_norm(x), turns)
        x = x + self.conv_module(x)
        x = x + 0.5 * self.ffn2(self.ffn2_layer_norm(x))
        out: Tensor = self.final_layer_norm(x)
        return out


class Conformer(nn.Module):
    """The stack of layers, and the norm behind the last."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.width, self.base = shape.encoder_dim // shape.num_attention_heads, shape.rotary_embedding_base
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.encoder_depth))
        self.layer_norm = nn.LayerNorm(shape.encoder_dim, shape.layer_norm_eps)

    def forward(self, x: Tensor) -> list[Tensor]:
        """What goes into the first layer and what comes out of each, (B, F, C); the last is normalized."""
        turns = angles(self.width, torch.arange(x.size(1), device=x.device), self.base)
        found = [x]
        for layer in self.layers:
            found.append(layer(found[-1], turns))
        found[-1] = self.layer_norm(found[-1])
        return found


class MuQ(nn.Module):
    """Music to vectors, 25 a second: computed in float32, as half precision gives NaN.

    Args:
        shape: sizes.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.mel = MuQMel(shape.n_mels, shape.hop_length, shape.mean, shape.deviation)
        self.conv = Front(shape)
        self.conformer = Conformer(shape)

    @property
    def sample_rate(self) -> int:
        """Samples a second that it hears."""
        return SAMPLE_RATE

    @property
    def frame_rate(self) -> float:
        """Vectors a second."""
        return SAMPLE_RATE / self.shape.hop_length / 4

    @property
    def width(self) -> int:
        """Values of a vector, C."""
        return self.shape.encoder_dim

    @property
    def depth(self) -> int:
        """Conformer layers."""
        return self.shape.encoder_depth

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.conv.linear.weight.device

    def frames(self, samples: int) -> int:
        """Vectors of so many samples: two halvings of whole mel frames, each rounded up; at least one."""
        return max(1, _half(_half(samples // self.shape.hop_length)))

    @torch.no_grad()
    def hidden(self, samples: Tensor) -> list[Tensor]:
        """Hidden states of sound, each (B, F, C): what the first layer is given, then the output of each.

        Args:
            samples: shape (B, T), 24 kHz, full scale ±1, on any device. What is shorter than the mel's window is filled
                up with silence.
        """
        least = N_FFT // 2 + 1
        samples = pad(samples, (0, max(0, least - samples.size(1)))).to(self.device, torch.float32)
        states: list[Tensor] = self.conformer(self.conv(self.mel(samples)))
        return states

    def forward(self, samples: Tensor, layer: int = -1) -> Tensor:
        """The hidden state behind one ``layer``, (B, F, C); see ``hidden``."""
        return self.hidden(samples)[layer]


def own(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a released checkpoint that the network uses; those of its training are left."""
    plain = {name.removeprefix("model."): tensor for name, tensor in tensors.items()}
    unused = ("conformer.pos_conv_embed.", "conformer.embed_positions.")
    return {
        name: tensor
        for name, tensor in plain.items()
        if name.startswith(("conv.", "conformer.")) and not name.startswith(unused)
    }
