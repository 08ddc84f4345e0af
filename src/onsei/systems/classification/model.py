"""A small convolutional network over log-mel spectrograms, with a recurrent layer where one is asked for.

B batch, D mel bands, T frames, C channels, N classes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from onsei.errors import ConfigError
from onsei.nn.conv import MaskedConv
from onsei.nn.masks import length_mask
from onsei.nn.rnn import BatchRNN, pack, unpack
from onsei.systems.classification.config import Model
from onsei.systems.classification.textures import Textures


class ConvNet(nn.Module):
    """Strided convolutions with batch norm, then the mean over bands, and mean and maximum over time.

    The first step of 2 is what makes it cheap. Padding is masked: a clip alone gives what it gives in a batch. In place
    of the mean over bands may stand a bidirectional GRU that reads them all (Choi et al. 2017, CRNN).

    Args:
        options: the network's shape.
        bins: mel bands D.

    Raises:
        ConfigError: as many strides as channels are needed.
    """

    def __init__(self, options: Model, bins: int) -> None:
        super().__init__()
        if len(options.strides) != len(options.channels) or not options.channels:
            raise ConfigError(
                f"model.strides: {len(options.strides)} for {len(options.channels)} convolutions", "give one for each"
            )
        layers: list[nn.Module] = []
        heard, before, last = bins, 1, len(options.channels) - 1
        for number, (width, stride) in enumerate(zip(options.channels, options.strides, strict=True)):
            span = 3 if number else 5
            spans, steps, padding = (span, span), (stride, stride), (span // 2, span // 2)
            if not number and options.haste > 1:
                long = 2 * stride * options.haste - 1
                spans, steps, padding = (span, long), (stride, stride * options.haste), (span // 2, long // 2)
            if number == last and options.full_band:
                spans, steps, padding = (bins, span), (1, 1), (0, span // 2)
            layers += [
                nn.Conv2d(before, width, spans, steps, padding, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(),
            ]
            before, bins = width, (bins - 1) // stride + 1
        self.convs = MaskedConv(nn.Sequential(*layers))
        self.recurrent: BatchRNN | None = None
        if options.recurrent:
            seen = before * (1 if options.full_band else bins)
            self.recurrent = BatchRNN(seen, options.recurrent, dropout=options.dropout)
            before = options.recurrent
        self.textures = Textures(heard, options.textures, options.rhythms) if options.textures else None
        self.width = before + (self.textures.width if self.textures is not None else 0)
        """Values C that a sound is brought to."""

    def forward(self, features: Tensor, lengths: Tensor | None = None) -> Tensor:
        """What a sound is brought to.

        Args:
            features: shape (B, D, T), zeros as padding.
            lengths: frames of each sound, shape (B,), on the CPU; all T by default.

        Returns:
            shape (B, C).
        """
        pooled = self._pooled(features, lengths)
        if self.textures is None:
            return pooled
        if lengths is None:
            lengths = torch.full((len(features),), features.size(-1))
        return torch.cat([pooled, self.textures(features, lengths).to(pooled)], 1)

    def _pooled(self, features: Tensor, lengths: Tensor | None) -> Tensor:
        """What the convolutions make of a sound: (B, C')."""
        x = features[:, None]
        if lengths is None or bool((lengths == x.size(-1)).all()):
            x = self.convs.seq_module(x.contiguous(memory_format=torch.channels_last))  # (B, C, D', F)
            x = self._over_bands(x, torch.full((len(x),), x.size(-1)))
            return torch.add(x.mean(2), x.amax(2))
        x, lengths = self.convs(x, lengths)
        x = self._over_bands(x, lengths)
        mask = length_mask(lengths, x.size(-1), x.device)[:, None]
        mean = (x * mask).sum(2) / lengths.to(x.device, x.dtype)[:, None]
        return torch.add(mean, x.masked_fill(~mask, float("-inf")).amax(2))

    def _over_bands(self, x: Tensor, lengths: Tensor) -> Tensor:
        """x, (B, C, D', F), of ``lengths`` frames, (B,), without its bands: (B, C', F), zeros as padding."""
        if self.recurrent is None:
            return avg_pool2d(x, (x.size(2), 1))[:, :, 0]  # as mean(2), but several times as fast on a CPU
        frames = x.flatten(1, 2).transpose(1, 2)
        return unpack(self.recurrent(pack(frames, lengths)), x.size(-1)).transpose(1, 2)


class MelClassifier(nn.Module):
    """The convolutional network with a layer of classes; parameters are named as where transformers opens the folder.

    Args:
        options: the network's shape.
        bins: mel bands D.
        classes: N.
    """

    def __init__(self, options: Model, bins: int, classes: int) -> None:
        super().__init__()
        self.network = ConvNet(options, bins)
        self.dropout = nn.Dropout(options.dropout)
        self.classifier = nn.Linear(self.network.width, classes)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a quarter faster on CPUs

    def forward(self, features: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Scores of the classes before softmax, (B, N), of ``features``, (B, D, T), with ``lengths`` frames, (B,)."""
        scores: Tensor = self.classifier(self.dropout(self.network(features, lengths)))
        return scores
