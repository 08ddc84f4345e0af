"""Which self-supervised encoder is fine-tuned, and how."""

from __future__ import annotations

from onsei.config import Fraction, NonNegativeInt, Positive, PositiveInt, options


@options
class Encoder:
    """A pretrained speech encoder under a layer of labels; used with features of kind wave."""

    pretrained: str = ""
    """Folder or Hub repository of a wav2vec 2.0, HuBERT, WavLM, data2vec-audio or UniSpeech encoder."""
    from_scratch: bool = False
    """Take only the shape of this encoder, with random weights."""
    take_head: bool = True
    """Where it was fine-tuned with CTC before: take over the outputs of labels that both have."""
    freeze_front: bool = True
    """Do not train the convolutions over samples."""
    freeze_steps: NonNegativeInt = 0
    """Train the layer of labels alone for this many optimizer steps."""
    head_rate: Positive = 1.0
    """Learning rate of the layer of labels, as a multiple of the encoder's."""
    gradient_checkpointing: bool = False
    """Compute activations again in the backward pass: less memory, more time."""
    hidden_dropout: Fraction | None = None
    """Dropout in attention, between layers and before the labels; as pretrained by default."""
    layerdrop: Fraction | None = None
    """Probability of leaving a layer out in a training step; as pretrained by default."""
    mask_time_prob: Fraction | None = None
    """Share of frames under masks in training (SpecAugment); as pretrained by default."""
    mask_time_length: PositiveInt | None = None
    """Frames of such a mask; as pretrained by default."""
    mask_feature_prob: Fraction | None = None
    """Share of features under masks in training; as pretrained by default."""
    mask_feature_length: PositiveInt | None = None
    """Features of such a mask; as pretrained by default."""
