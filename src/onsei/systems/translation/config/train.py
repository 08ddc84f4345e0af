"""Options of the verb `train`: a translator of speech from speech with translations."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar

from onsei.config import Fraction, NonNegative, NonNegativeInt, Positive, PositiveInt, flag, options
from onsei.former import Former
from onsei.systems.translation.config.ground import ImageNetwork, UnitAugment, UnitNetwork
from onsei.training.options import Training


@options
class Decoder:
    """What writes the translation: a BART decoder."""

    pretrained: Annotated[str, flag("--decoder-model-name")] = ""
    """BART by folder or Hub name, such as facebook/bart-base; empty: a small one that learns from nothing, with a
    tokenizer learned from the training translations."""
    vocabulary: PositiveInt = 1000
    """Most tokens of such a tokenizer; the bytes of the training translations are always among them."""
    width: PositiveInt = 128
    """Width of a small decoder."""
    layers: PositiveInt = 2
    """Layers of a small decoder."""
    heads: PositiveInt = 4
    """Heads of a small decoder."""
    dropout: Fraction = 0.1
    """Dropout of a small decoder."""
    word_dropout: Fraction = 0.0
    """Share of tokens that are hidden from those behind them in training: from a hundred sentences a decoder otherwise
    learns which words stand together, and does not listen."""
    longest: PositiveInt = 128
    """Most tokens of a translation; longer ones are cut in training."""


@options
class Tuning:
    """How weights are changed: AdamW."""

    learning_rate: Annotated[Positive, flag("--lr")] = 1e-3
    """Highest learning rate of what is new."""
    grounded_rate: Annotated[Positive, flag("--encoder-lr")] = 5e-4
    """Highest learning rate of the unit encoder, where it comes from a semantic core or from a translator."""
    pretrained_rate: Annotated[Positive, flag("--decoder-lr")] = 5e-5
    """Highest learning rate of a pretrained decoder."""
    acoustic_rate: Annotated[NonNegative, flag("--acoustic-lr")] = 0.0
    """Highest learning rate of the acoustic model. Above 0 all parts learn from sounds: they are heard anew at each
    step, and gradients go straight through the codebook, whose codes stay. 0: units are taken as they are."""
    weight_decay: NonNegative = 1e-2
    """Weight decay; norms and biases have none."""
    label_smoothing: Fraction = 0.1
    """Share of the truth that is spread over all tokens."""
    freeze_acoustic_steps: NonNegativeInt = 0
    """Steps before the acoustic model is trained too, where it is."""
    freeze_encoder_steps: NonNegativeInt = 0
    """Steps before the unit encoder is trained too; until then only what is new learns."""
    freeze_decoder_steps: NonNegativeInt = 0
    """Steps before a pretrained decoder is trained too, but for its attention to the speech."""


@options
class Parallel:
    """How pairs of speech and translation become batches."""

    batch_size: Annotated[PositiveInt, flag("--per-device-train-batch-size")] = 32
    """Pairs in a batch."""
    batch_units: Positive = 40000.0
    """Most units in a batch with its padding."""
    max_units: PositiveInt = 2000
    """Units of a clip that are read; what follows is left out, and counted."""
    batch_seconds: Positive = 120.0
    """Most sound in a batch with its padding, in seconds, where the acoustic model is trained too."""
    max_seconds: Positive = 20.0
    """Longer sounds are left out there, and counted."""
    num_workers: NonNegativeInt = 0
    """Processes that prepare batches; 0 prepares them in the training process."""
    limit: NonNegativeInt = 0
    """Train on the first so many rows alone; 0: on all."""


@options
class Pivot:
    """Without any translated speech: the decoder learns from pictures with captions, and is then fed speech."""

    captions: Path | None = None
    """Manifest of pictures with `text`, which nobody needs to have spoken about; with it no speech is trained on, and
    a semantic core is needed."""
    noise: NonNegative = 0.05
    """Deviation of the noise that is added to each value of a picture's vector, so that a vector of speech, which lies
    a little beside it, is understood too (Nukrai et al. 2022)."""
    states: PositiveInt = 4
    """States that the decoder sees in place of a sequence, each a linear map of the vector."""


@options
class Train:
    """Train a translator from manifests whose rows have units, or sound, and a text."""

    FORMER: ClassVar[Mapping[str, Former]] = {"--num-train-epochs": Former({"*": "--epochs {value}"})}

    train_manifest: Annotated[Path | None, flag("--parallel-data-dir")] = None
    """Speech with `text`: encoded rows (JSONL), or with an acoustic model also rows of sounds, or a folder with `audio`
    and `text` whose files match by their stems; needed but for captions alone."""
    val_manifest: Path | None = None
    """Encoded speech with `text` to choose the best weights by."""
    val_share: Fraction = 0.1
    """Share of the training rows that is held out where no validation is given."""
    output_dir: Path | None = None
    """Folder of the run: checkpoints, metrics, and at the end the model; needed."""
    acoustic_model: Annotated[Path | None, flag("--acoustic-model-path")] = None
    """Model of units (`fit-units`): rows without `units` are encoded with it, and a copy of it goes into the
    translator's folder, so that it hears sound."""
    semantic_model: Annotated[Path | None, flag("--semantic-model-path")] = None
    """Semantic core (`ground`) that the unit encoder comes from; without one it begins with chance."""
    base: str = ""
    """Translator of speech that training begins with, by folder or Hub name: its encoder, its decoder and its tokens,
    whose options are then its own; a semantic core is not needed. `--continue-from MODEL --finetune` says the same."""
    params_path: Path | None = None
    """`best_params.json` of a search, whose network options replace these."""
    num_clusters: NonNegativeInt = 0
    """Number of units; 0: as the core or the encoded rows say."""
    language: str = "en"
    """Language of the translations, for the model card and for scores: any."""
    units: UnitNetwork = UnitNetwork()
    """The network that reads units; that of the semantic core where there is one."""
    image: ImageNetwork = ImageNetwork()
    """The network that sees pictures; that of the semantic core."""
    decoder: Decoder = Decoder()
    """What writes the translation."""
    pivot: Pivot = Pivot()
    """Learning from captions alone."""
    augment: UnitAugment = UnitAugment(substitute=0.08, drop=0.04, masks=1)
    """Random changes of the training units."""
    data: Parallel = Parallel()
    """Batches."""
    optimization: Tuning = Tuning()
    """The optimizer."""
    training: Training = Training(epochs=30, schedule="cosine", warmup_steps=50, max_norm=1.0)
    """The clock: epochs, precision, checkpoints, trackers."""
