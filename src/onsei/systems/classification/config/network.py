"""Which network: convolutions over log-mel spectrograms, or a pretrained encoder over samples."""

from __future__ import annotations

from typing import Literal

from onsei.config import Fraction, NonNegativeInt, Positive, PositiveInt, options


@options
class Model:
    """Convolutions over the log-mel spectrogram; used with features of kind mel."""

    channels: tuple[PositiveInt, ...] = (32, 64, 96, 128)
    """Channels of each convolution, the first of 5 × 5 or longer, the others of 3 × 3."""
    strides: tuple[PositiveInt, ...] = (2, 2, 2, 1)
    """Step of each convolution in both directions."""
    haste: PositiveInt = 2
    """By how much longer the first convolution and its step are over time: fine time at the cost of coarse."""
    full_band: bool = False
    """The last convolution spans all bands that are left, with a step of 1, and so can tell high from low."""
    recurrent: NonNegativeInt = 0
    """Units of a bidirectional GRU over time after the convolutions, which then sees all bands that are left; 0: none,
    and their mean decides."""
    textures: NonNegativeInt = 0
    """Tell the classes also by statistics of the sound over time: moments of bands, modulations in windows of this many
    frames (a second or more), correlations between bands. For noises such as rain or engines; 0: none."""
    rhythms: bool = False
    """With textures: tell them also by what comes again, in octaves of time from two frames to twice that window."""
    dropout: Fraction = 0.2
    """Dropout before the classes, and before the GRU."""


@options
class Encoder:
    """A pretrained audio encoder under a layer of classes; used with features of kind wave."""

    pretrained: str = ""
    """Folder or Hub repository of a wav2vec 2.0, HuBERT, DistilHuBERT, WavLM, data2vec-audio, UniSpeech, AST or Whisper
    encoder."""
    from_scratch: bool = False
    """Take only the shape of this encoder, with random weights."""
    freeze: Literal["none", "front", "all"] = "none"
    """What of the encoder is not trained: nothing; the convolutions before its layers; all but the classes."""
    freeze_layers: NonNegativeInt = 0
    """Do not train this many of its lowest layers, nor what is under them."""
    freeze_steps: NonNegativeInt = 0
    """Train the layer of classes alone for this many optimizer steps."""
    layer_decay: Fraction = 1.0
    """Learning rate of each layer, as a multiple of the one above it; 1 trains all alike."""
    head_rate: Positive = 1.0
    """Learning rate of the layer of classes, as a multiple of the encoder's."""
    gradient_checkpointing: bool = False
    """Compute activations again in the backward pass: less memory, more time."""
    lora_rank: NonNegativeInt = 0
    """Train low-rank changes of this rank in place of the encoder's weights (LoRA); 0 trains the weights. The trained
    changes are added to the weights when the model is saved."""
    lora_alpha: Positive = 16.0
    """Scale of these changes, before it is divided by the rank."""
    lora_dropout: Fraction = 0.0
    """Dropout before these changes."""
    lora_targets: tuple[str, ...] = ("q_proj", "v_proj")
    """Layers that are changed, by the last part of their names."""
