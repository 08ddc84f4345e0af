"""Shape of a recognizer's network."""

from __future__ import annotations

from typing import Literal

from onsei.config import Fraction, NonNegativeInt, PositiveInt, options


@options
class Model:
    """Shape of DeepSpeech2."""

    rnn_type: Literal["rnn", "gru", "lstm", "conv"] = "gru"
    """Kind of recurrent layer; conv: residual convolutions over time in their place, for small corpora."""
    hidden_size: PositiveInt = 800
    """Units of each recurrent layer, or of each residual convolution."""
    hidden_layers: PositiveInt = 5
    """Number of these layers."""
    conv_context: PositiveInt = 5
    """Output frames that each residual convolution spans, an odd number; with rnn_type conv only."""
    bidirectional: bool = True
    """Read backward too and sum the directions; without it a look-ahead layer follows."""
    lookahead_context: PositiveInt = 20
    """Frames that the look-ahead layer sees, the present one included."""
    conv_gate: NonNegativeInt = 32
    """Inner width of the gates by which each residual convolution heeds speaker and room; 0: no gates."""
    conv_channels: PositiveInt = 32
    """Channels of the two convolutions."""
    conv_spans: tuple[PositiveInt, PositiveInt] = (41, 21)
    """Frequency bins that each convolution spans, odd numbers."""
    time_stride: Literal[2, 4] = 2
    """Input frames per output frame."""
    conv_pool: PositiveInt = 1
    """Neighboring bins of which only the strongest is kept after the convolutions: voices differ less; 1 keeps all."""
    dropout: Fraction = 0.0
    """Dropout of the inputs of each recurrent layer but the first, and of the last linear layer."""
    count_padding: bool = False
    """Treat padding as deepspeech.pytorch does: counted in batch norms while training, not cleared in the input."""
