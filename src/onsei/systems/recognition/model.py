"""DeepSpeech2: convolutions over the spectrogram, recurrent layers, characters (Amodei et al. 2016).

B batch, D frequency bins, T input frames, F output frames (T by the time stride, rounded up), H units, V labels.
"""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn
from torch.nn.functional import max_pool2d
from torch.nn.utils.rnn import PackedSequence

from onsei.errors import ConfigError
from onsei.nn.conv import MaskedConv
from onsei.nn.frames import Frames
from onsei.nn.rnn import BatchRNN, DroppedLinear, FrameWise, Lookahead, like, pack, unpack
from onsei.nn.tdnn import ResidualConvs
from onsei.systems.recognition.config import Model

_SPAN = 11
"""Frames that each convolution spans."""


class DeepSpeech2(nn.Module):
    """Two strided convolutions, a stack of recurrent layers, one linear layer; CTC is trained on its logits.

    The names of the parameters are those of deepspeech.pytorch, whose checkpoints so load unchanged.

    Args:
        options: the network's shape.
        bins: frequency bins of the input, D.
        labels: number of output labels with the blank, V.
    """

    def __init__(self, options: Model, bins: int, labels: int) -> None:
        super().__init__()
        width, padded = options.conv_channels, options.count_padding
        self.frames = frames_of(options.time_stride)
        first, second = options.conv_spans
        self.conv = MaskedConv(
            nn.Sequential(
                nn.Conv2d(1, width, (first, _SPAN), stride=(2, 2), padding=(first // 2, _SPAN // 2)),
                nn.BatchNorm2d(width),
                nn.Hardtanh(0, 20, inplace=True),
                nn.Conv2d(
                    width,
                    width,
                    (second, _SPAN),
                    stride=(2, options.time_stride // 2),
                    padding=(second // 2, _SPAN // 2),
                ),
                nn.BatchNorm2d(width),
                nn.Hardtanh(0, 20, inplace=True),
            ),
            count_padding=padded,
        )
        hidden = options.hidden_size
        if not first % 2 or not second % 2:
            raise ConfigError(f"model.conv_spans: expected odd numbers, found {first} and {second}", "add or take one")
        self.pool = options.conv_pool
        width *= conv_bins(bins, self.pool)
        self.rnns = _residual(options, width) if options.rnn_type == "conv" else _recurrent(options, width)
        self.lookahead = (
            None
            if options.bidirectional or options.rnn_type == "conv"
            else nn.Sequential(Lookahead(hidden, options.lookahead_context), nn.Hardtanh(0, 20, inplace=True))
        )
        self.fc = nn.Sequential(
            FrameWise(nn.Sequential(nn.BatchNorm1d(hidden), DroppedLinear(hidden, labels, options.dropout)), padded)
        )

    @property
    def head(self) -> nn.Module:
        """The layer whose rows stand for the labels."""
        return cast(nn.Module, self.fc[0].module[1])  # type: ignore[index]

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of every output frame.

        Args:
            features: shape (B, D, T), float.
            lengths: input frames of each item, shape (B,), at least 1, on the CPU.

        Returns:
            logits, shape (B, F, V), which are not yet probabilities, in training and evaluation alike
            (``log_softmax`` over the last axis makes log-probabilities; ``Transcriber.log_probs`` gives these), and the
            output frames of each item, shape (B,).
        """
        x, lengths = self.conv(features[:, None], lengths)  # (B, C, D', F)
        if self.pool > 1:
            x = max_pool2d(x, (self.pool, 1), ceil_mode=True)
        size = x.size(-1)
        packed = pack(x.flatten(1, 2).transpose(1, 2), lengths)
        for rnn in self.rnns:
            packed = rnn(packed)
        if self.lookahead is not None:
            ahead = pack(self.lookahead(unpack(packed, size)), lengths)
            packed = like(packed, ahead.data)
        scores: PackedSequence = self.fc(packed)
        return unpack(scores, size), lengths


def frames_of(time_stride: int = 2) -> Frames:
    """How feature frames become output frames."""
    return Frames(((_SPAN, 2, _SPAN // 2), (_SPAN, time_stride // 2, _SPAN // 2)))


def conv_bins(bins: int, pool: int = 1) -> int:
    """Frequency bins that the two convolutions, with odd spans, and the pooling leave of ``bins``."""
    for size in (2, 2, pool):
        bins = (bins - 1) // size + 1
    return bins


def _recurrent(options: Model, width: int) -> nn.ModuleList:
    """The recurrent layers over frames of ``width`` values."""
    assert options.rnn_type != "conv"
    hidden, rest = options.hidden_size, options.hidden_layers - 1
    return nn.ModuleList(
        BatchRNN(
            size,
            hidden,
            options.rnn_type,
            bidirectional=options.bidirectional,
            batch_norm=layer > 0,
            dropout=options.dropout if layer > 0 else 0.0,
            count_padding=options.count_padding,
        )
        for layer, size in enumerate([width] + [hidden] * rest)
    )


def _residual(options: Model, width: int) -> nn.ModuleList:
    """The residual convolutions in their place."""
    context = options.conv_context
    if not context % 2:
        raise ConfigError(f"model.conv_context: expected an odd number, found {context}", "add or take one")
    hidden, layers = options.hidden_size, options.hidden_layers
    convs = ResidualConvs(width, hidden, layers, context, options.conv_gate, options.dropout)
    return nn.ModuleList([convs])
