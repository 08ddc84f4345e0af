"""Options of a training run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from onsei.config import Fraction, NonNegative, NonNegativeInt, Positive, PositiveInt, flag, options
from onsei.former import Former
from onsei.systems.recognition.config.augment import Augment
from onsei.systems.recognition.config.encoder import Encoder
from onsei.systems.recognition.config.features import Features
from onsei.systems.recognition.config.network import Model
from onsei.training.options import Training


@options
class Data:
    """How utterances become batches."""

    batch_size: PositiveInt = 20
    """Most utterances in a batch."""
    batch_seconds: Positive = 240.0
    """Most sound in a batch with its padding, in seconds."""
    num_workers: NonNegativeInt = 2
    """Processes that prepare batches; 0 prepares them in the training process."""
    shuffle: bool = True
    """New order in every epoch."""
    sortagrad: bool = True
    """First epoch from short to long utterances."""
    feature_cache: Path | None = None
    """Folder that keeps computed features for later epochs and runs."""
    unknown_characters: Literal["fail", "drop"] = "fail"
    """What to do when transcripts hold characters outside the labels: stop, or train without these characters."""


@options
class Optimizer:
    """How weights are changed."""

    optimizer: Literal["sgd", "adamw"] = "sgd"
    """SGD with Nesterov momentum, or AdamW."""
    learning_rate: Annotated[Positive, flag("--lr")] = 3e-4
    """Learning rate at the start."""
    momentum: Fraction = 0.9
    """Nesterov momentum of SGD."""
    weight_decay: NonNegative = 1e-5
    """Weight decay."""


@options
class Train:
    """Train a recognizer from manifests."""

    FORMER: ClassVar[Mapping[str, Former]] = {
        "--no-sortaGrad": Former({"": "--no-sortagrad"}, switch=True),
        "--model-path": Former({"*": ""}, "has no effect: the folder --output-dir itself becomes the model"),
    }

    train_manifest: Path
    """Manifest of the training utterances (JSONL, or CSV of `audio,text` paths)."""
    output_dir: Annotated[Path, flag("--save-folder")]
    """Folder of the run: checkpoints, metrics, and at the end the model."""
    val_manifest: Path | None = None
    """Manifest of the validation utterances; the best weights on it are kept."""
    labels_path: Path | None = None
    """JSON list of output labels, the blank `_` first."""
    labels: tuple[str, ...] = ()
    """Output labels, the blank `_` first, where there is no labels_path; English letters by default."""
    labels_from_data: bool = False
    """Read the labels off the training transcripts; `onsei recognition labels` shows them beforehand."""
    min_count: PositiveInt = 1
    """With labels_from_data: occurrences that a character or word needs to get a label; rarer ones are left out."""
    units: Literal["characters", "words", "bpe"] = "characters"
    """What a label stands for; bpe: pieces of words, learned by sentencepiece."""
    vocab_size: PositiveInt = 500
    """With bpe: number of labels with the blank."""
    pieces_path: Path | None = None
    """With bpe: sentencepiece model, or the folder that `onsei recognition labels` wrote; by default it is learned from
    the training transcripts."""
    case: Literal["upper", "lower", "keep"] = "upper"
    """Case that transcripts are brought to."""
    script: Literal["plain", "kanji", "kana", "reading"] = "plain"
    """Plain: as written, words parted by spaces. Japanese without spaces: kanji, as written; kana, hiragana as
    katakana; reading, katakana as spoken, read by pyopenjtalk."""
    normalizer: Literal["auto", "none", "lower", "basic"] = "auto"
    """What counts as the same text in the WER and CER of validation; see `evaluate`."""
    features: Features = Features()
    """What the network sees."""
    model: Model = Model()
    """The network."""
    encoder: Encoder = Encoder()
    """The pretrained encoder in its place, with features of kind wave."""
    augment: Augment = Augment()
    """Random changes of the training sounds."""
    consistency: NonNegative = 0.0
    """Weight of the difference between two copies of a batch, each with other warp, slope, tilt and masks (CR-CTC), at
    twice the work; 0: one copy."""
    agreement: NonNegative = 0.0
    """Weight of the difference in what two copies of an utterance are heard to say, wherever they say it; the copies
    differ in every change that is asked for, at twice the work. 0: one copy."""
    data: Data = Data()
    """Batches."""
    optimization: Optimizer = Optimizer()
    """The optimizer."""
    training: Training = Training()
    """The clock: epochs, precision, checkpoints, trackers."""
