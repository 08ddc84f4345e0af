"""DeepSpeech2: convolutions over the spectrogram, recurrent layers, characters (Amodei et al. 2016).

B batch, D frequency bins, T input frames, F output frames (T halved, rounded up), H units, V labels.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from onsei.nn.conv import MaskedConv
from onsei.nn.rnn import BatchRNN, FrameWise, Lookahead, dropped, like, pack, unpack
from onsei.systems.recognition.config import Model

STRIDE = 2
"""Input frames per output frame."""


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
        self.conv = MaskedConv(
            nn.Sequential(
                nn.Conv2d(1, width, (41, 11), stride=(2, STRIDE), padding=(20, 5)),
                nn.BatchNorm2d(width),
                nn.Hardtanh(0, 20, inplace=True),
                nn.Conv2d(width, width, (21, 11), stride=(2, 1), padding=(10, 5)),
                nn.BatchNorm2d(width),
                nn.Hardtanh(0, 20, inplace=True),
            ),
            count_padding=padded,
        )
        hidden = options.hidden_size
        sizes = [width * conv_bins(bins)] + [hidden] * (options.hidden_layers - 1)
        self.rnns = nn.ModuleList(
            BatchRNN(
                size,
                hidden,
                options.rnn_type,
                bidirectional=options.bidirectional,
                batch_norm=layer > 0,
                count_padding=padded,
            )
            for layer, size in enumerate(sizes)
        )
        self.lookahead = (
            None
            if options.bidirectional
            else nn.Sequential(Lookahead(hidden, options.lookahead_context), nn.Hardtanh(0, 20, inplace=True))
        )
        self.dropout = options.dropout
        self.fc = nn.Sequential(
            FrameWise(nn.Sequential(nn.BatchNorm1d(hidden), nn.Linear(hidden, labels, bias=False)), padded)
        )

    def forward(self, features: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of every output frame.

        Args:
            features: shape (B, D, T), float.
            lengths: input frames of each item, shape (B,), at least 1, on the CPU.

        Returns:
            logits, shape (B, F, V), and the output frames of each item, shape (B,).
        """
        x, lengths = self.conv(features[:, None], lengths)  # (B, C, D', F)
        size = x.size(-1)
        packed = pack(x.flatten(1, 2).transpose(1, 2), lengths)
        for layer, rnn in enumerate(self.rnns):
            packed = rnn(packed if layer == 0 else dropped(packed, self.dropout, self.training))
        if self.lookahead is not None:
            ahead = pack(self.lookahead(unpack(packed, size)), lengths)
            packed = like(packed, ahead.data)
        scores: PackedSequence = self.fc(packed)
        return unpack(scores, size), lengths


def conv_bins(bins: int) -> int:
    """Frequency bins that the two convolutions leave of ``bins``."""
    once = (bins - 1) // 2 + 1
    return (once - 1) // 2 + 1


def output_frames(frames: int) -> int:
    """Output frames F for ``frames`` input frames."""
    return (frames - 1) // STRIDE + 1
