"""A self-supervised speech encoder whose padding never leaks: a clip alone gives what it gives in a batch.

B batch, T samples, F frames, C channels, H hidden size.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from onsei.nn.frames import Frames
from onsei.nn.masks import length_mask
from onsei.units.front import QuickFront


@dataclass(frozen=True)
class Masking:
    """SpecAugment of encoder frames as in wav2vec 2.0 (Baevski et al. 2020, section 3.1 and appendix B)."""

    time_prob: float = 0.0
    """Share of frames that spans cover where they do not overlap."""
    time_length: int = 10
    """Frames of a span."""
    feature_prob: float = 0.0
    """Share of features that spans cover where they do not overlap."""
    feature_length: int = 10
    """Features of a span."""
    least: int = 2
    """Fewest spans of time in an utterance that is long enough."""


class SpeechEncoder(nn.Module):
    """Wav2vec 2.0, HuBERT, WavLM and their like, as ``units.ssl.load`` opens them.

    The body is registered under the name that transformers gives it (``wav2vec2``, ``hubert`` …), so that weights saved
    from here open there. Normalization over time in the convolutional front, which padding would change, is done clip
    by clip.

    Args:
        body: transformers' network without a head.
    """

    def __init__(self, body: Any) -> None:
        super().__init__()
        self.name = str(body.base_model_prefix)
        self.add_module(self.name, body)
        self.frames = Frames.unpadded(body.config.conv_kernel, body.config.conv_stride)
        config = body.config
        self.masking = Masking(
            config.mask_time_prob, config.mask_time_length, config.mask_feature_prob, config.mask_feature_length
        )
        self.frozen = False
        """Whether the body is run without gradients."""
        self._sound: Tensor | None = None
        for layer in getattr(body.encoder.pos_conv_embed, "layers", ()):  # of data2vec; each reaches into the padding
            layer.register_forward_hook(self._cleared)

    @property
    def body(self) -> Any:
        """Transformers' network."""
        return getattr(self, self.name)

    @property
    def width(self) -> int:
        """Hidden size H."""
        return int(self.body.config.hidden_size)

    @property
    def depth(self) -> int:
        """Number of transformer layers."""
        return len(self.body.encoder.layers)

    def freeze_front(self) -> None:
        """Take the convolutional front out of training."""
        for parameter in self.body.feature_extractor.parameters():
            parameter.requires_grad = False

    def keep_layers(self, count: int) -> None:
        """Drop the transformer layers behind the first ``count``."""
        self.body.encoder.layers = self.body.encoder.layers[:count]
        self.body.config.num_hidden_layers = len(self.body.encoder.layers)

    def hidden(self, samples: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """What the last layer makes of sounds.

        Args:
            samples: shape (B, T), zeros as padding, normalized as the encoder's preprocessor says.
            lengths: samples of each sound, shape (B,).

        Returns:
            hidden states, shape (B, F, H), and the frames of each sound, shape (B,).
        """
        with torch.no_grad() if self.frozen else nullcontext():
            return self._hidden(samples, lengths)

    def layers(self, samples: Tensor, lengths: Tensor) -> tuple[list[Tensor], Tensor]:
        """As ``hidden``, of all layers: what the first layer is given, then the output of each."""
        found: list[Tensor] = []
        with self._watched(found):
            _, frames = self.hidden(samples, lengths)
        return found, frames

    def _hidden(self, samples: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        samples = pad(samples, (0, max(0, self.frames.smallest - samples.size(-1))))
        x = self._front(samples, lengths.clamp(min=self.frames.smallest)).transpose(1, 2)  # (B, F, C)
        projected = self.body.feature_projection(x)
        x = projected[0] if isinstance(projected, tuple) else projected  # (B, F, H)
        frames = self.frames.counts(lengths)
        if self.training:
            x = self._masked(x, frames)
        ragged = bool((frames != x.size(1)).any())
        mask = length_mask(frames, x.size(1), x.device) if ragged else None
        self._sound = mask
        return self.body.encoder(x, attention_mask=mask)[0], frames

    def _cleared(self, layer: nn.Module, given: Any, x: Tensor) -> Tensor:
        return x if self._sound is None else x * self._sound[:, None]

    def _front(self, samples: Tensor, lengths: Tensor) -> Tensor:
        """The convolutions over samples, (B, T): shape (B, C, F)."""
        front = self.body.feature_extractor
        exact = samples.dtype == torch.float32 and not torch.is_autocast_enabled(samples.device.type)
        if exact and not torch.is_grad_enabled() and QuickFront.fits(front):
            features: Tensor = QuickFront(front)(samples, lengths)
            return features
        convolutions = front.conv_layers
        trained = any(p.requires_grad for p in self.body.feature_extractor.parameters())
        x = samples[:, None]
        with nullcontext() if trained else torch.no_grad():
            for layer in convolutions:
                lengths = (lengths - layer.conv.kernel_size[0]) // layer.conv.stride[0] + 1
                norm = getattr(layer, "layer_norm", None)
                if isinstance(norm, nn.GroupNorm) and bool((lengths != lengths.max()).any()):
                    x = layer.activation(_alone(norm, layer.conv(x), lengths))
                else:
                    x = layer(x)
        return x

    def _masked(self, x: Tensor, frames: Tensor) -> Tensor:
        masking, size = self.masking, x.size(1)
        if masking.time_prob and hasattr(self.body, "masked_spec_embed"):
            rows = [spans(int(n), masking.time_prob, masking.time_length, masking.least) for n in frames]
            mask = torch.stack([pad(row, (0, size - len(row))) for row in rows]).to(x.device)
            x = torch.where(mask[..., None], self.body.masked_spec_embed.to(x.dtype), x)
        if masking.feature_prob:
            columns = [spans(x.size(-1), masking.feature_prob, masking.feature_length, 0) for _ in frames]
            x = x.masked_fill(torch.stack(columns).to(x.device)[:, None], 0.0)
        return x.clone()  # the encoder clears padding in place

    @contextmanager
    def _watched(self, found: list[Tensor]) -> Iterator[None]:
        layers = self.body.encoder.layers
        hooks = [layers[0].register_forward_pre_hook(lambda _, given: found.append(given[0]))]
        for layer in layers:
            hooks.append(
                layer.register_forward_hook(
                    lambda _, __, given: found.append(given[0] if isinstance(given, tuple) else given)
                )
            )
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()


def spans(size: int, share: float, length: int, least: int) -> Tensor:
    """Random spans of ``length`` that together cover a ``share`` of ``size`` places: bool, shape (size,).

    Drawn from torch's own generator on the CPU, which the engine seeds for each batch: a resume masks alike.
    """
    mask = torch.zeros(size, dtype=torch.bool)
    if size < length:
        return mask
    count = max(least, int(share * size / length + torch.rand(()).item()))
    starts = torch.randperm(size - length + 1)[: min(count, size // length)]
    for start in starts.tolist():
        mask[start : start + length] = True
    return mask


def _alone(norm: nn.GroupNorm, x: Tensor, lengths: Tensor) -> Tensor:
    """``norm`` of each item of x, (B, C, F), over its own ``lengths`` frames, (B,); zeros behind them."""
    rows = [norm(item[None, :, :n]) for item, n in zip(x, lengths.tolist(), strict=True)]
    return torch.cat([pad(row, (0, x.size(-1) - row.size(-1))) for row in rows])
