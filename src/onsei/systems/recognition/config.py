"""Options of recognition: features, network, training, and what each verb takes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from onsei.config import (
    Fraction,
    NonNegative,
    NonNegativeInt,
    Positional,
    Positive,
    PositiveInt,
    flag,
    options,
    shown_as,
)
from onsei.training.options import Training


@options
class Features:
    """What the network sees of a sound."""

    kind: Literal["spectrogram", "mel", "precomputed"] = "spectrogram"
    """Log spectrogram (DeepSpeech2), log-mel spectrogram, or arrays that the manifest's `features` name."""
    sample_rate: PositiveInt = 16000
    """Sampling rate that every file is brought to, in Hz."""
    window_size: Positive = 0.02
    """Length of the analysis window, in seconds."""
    window_stride: Positive = 0.01
    """Time between windows, in seconds; also the frame period of precomputed features."""
    window: Literal["hamming", "hann", "blackman", "bartlett"] = "hamming"
    """Shape of the analysis window."""
    n_mels: PositiveInt = 80
    """Mel bands of the mel spectrogram."""
    floor: Positive = 2e-4
    """Power added to every mel band of a sound brought to one loudness: fainter noise does not show."""
    bins: NonNegativeInt = 0
    """Rows of precomputed features; 0 reads them off the first row of the manifest."""


@options
class Model:
    """Shape of DeepSpeech2."""

    rnn_type: Literal["rnn", "gru", "lstm"] = "gru"
    """Kind of recurrent layer."""
    hidden_size: PositiveInt = 800
    """Units of each recurrent layer."""
    hidden_layers: PositiveInt = 5
    """Number of recurrent layers."""
    bidirectional: bool = True
    """Read backward too and sum the directions; without it a look-ahead layer follows."""
    lookahead_context: PositiveInt = 20
    """Frames that the look-ahead layer sees, the present one included."""
    conv_channels: PositiveInt = 32
    """Channels of the two convolutions."""
    conv_spans: tuple[PositiveInt, PositiveInt] = (41, 21)
    """Frequency bins that each convolution spans, odd numbers."""
    conv_pool: PositiveInt = 1
    """Neighboring bins of which only the strongest is kept after the convolutions: voices differ less; 1 keeps all."""
    dropout: Fraction = 0.0
    """Dropout of the inputs of each recurrent layer but the first, and of the last linear layer."""
    count_padding: bool = False
    """Treat padding as deepspeech.pytorch does: counted in batch norms while training, not cleared in the input."""


@options
class Augment:
    """Random changes of the training sounds; never of validation. Zero turns a change off."""

    speed: Fraction = 0.0
    """Speed and pitch change by a factor drawn from 1 - speed to 1 + speed."""
    trim: Fraction = 0.0
    """Up to this share of the sound is cut off, up to half of it at either end."""
    gain: NonNegative = 0.0
    """Volume changes by -gain to +gain, in dB."""
    shift: NonNegative = 0.0
    """Silence of up to this many seconds is put before and after."""
    noise_prob: Fraction = 0.0
    """Probability of added noise."""
    noise_snr_min: float = 10.0
    """Lowest ratio of sound to noise, in dB."""
    noise_snr_max: float = 40.0
    """Highest ratio of sound to noise, in dB."""
    tempo: Fraction = 0.0
    """Tempo at the same pitch changes by a factor drawn from 1 - tempo to 1 + tempo."""
    warp: Fraction = 0.0
    """The frequency axis is stretched by a factor drawn from 1 - warp to 1 + warp, as by another vocal tract."""
    slope: NonNegative = 0.0
    """Spread of a random straight line added over frequency, in deviations of the features."""
    tilt: NonNegative = 0.0
    """Spread of a random curve added over frequency, as by another microphone, in deviations of the features."""
    tilt_knots: PositiveInt = 4
    """Points that this curve runs through, 2 or more."""
    freq_masks: NonNegativeInt = 0
    """Frequency bands blanked in each spectrogram (SpecAugment)."""
    freq_width: PositiveInt = 27
    """Widest such band, in bins."""
    time_masks: NonNegativeInt = 0
    """Stretches of time blanked in each spectrogram (SpecAugment)."""
    time_width: PositiveInt = 70
    """Longest such stretch, in frames."""
    time_share: Fraction = 0.2
    """Longest such stretch as a share of the utterance, whichever is shorter."""


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
    units: Literal["characters", "words"] = "characters"
    """What a label stands for."""
    case: Literal["upper", "lower", "keep"] = "upper"
    """Case that transcripts are brought to."""
    features: Features = Features()
    """What the network sees."""
    model: Model = Model()
    """The network."""
    augment: Augment = Augment()
    """Random changes of the training sounds."""
    data: Data = Data()
    """Batches."""
    optimization: Optimizer = Optimizer()
    """The optimizer."""
    training: Training = Training()
    """The clock: epochs, precision, checkpoints, trackers."""


@options
class Prepare:
    """Make training and validation manifests from recordings with transcripts."""

    kind: Positional[Literal["folder", "csv"]]
    """`folder`: each sound has a text file of the same name beside it; `csv`: rows of `audio path,text path`."""
    source: Annotated[Positional[Path], shown_as("SOURCE")]
    """The folder or the CSV file."""
    output_dir: Path
    """Folder for train.jsonl and val.jsonl."""
    val_fraction: Fraction = 0.1
    """Share of utterances that becomes the validation manifest."""
    min_duration: NonNegative = 0.0
    """Leave out shorter training sounds, in seconds."""
    max_duration: NonNegative = 0.0
    """Leave out longer training sounds, in seconds; 0 sets no limit."""
    seed: int = 123456
    """Seed of the split."""
    force: bool = False
    """Overwrite manifests that are there."""


@options
class Evaluate:
    """Measure a recognizer on a manifest."""

    model: Annotated[Positional[str], shown_as("MODEL")]
    """Model folder or Hub repository."""
    test_manifest: Path
    """Manifest with transcripts."""
    json: Path | None = None
    """Write the numbers to this file as one flat JSON object; rates in percent."""
    table: Path | None = None
    """Write one JSON line an utterance: reference, hypothesis, errors, times."""
    unknown_characters: Literal["fail", "drop"] = "drop"
    """What to do when transcripts hold characters outside the labels: stop, or count them and score without them."""
    verbose: bool = False
    """Print every utterance, not just the worst."""
    batch_size: PositiveInt = 20
    """Most utterances in a batch."""
    batch_seconds: Positive = 240.0
    """Most sound in a batch, in seconds."""
    num_workers: NonNegativeInt = 2
    """Processes that read files."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda`, `cuda:1` or `mps`."""
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    """Number format of the network."""


@options
class Transcribe:
    """Write down what recordings say."""

    model: Annotated[Positional[str], shown_as("MODEL")]
    """Model folder or Hub repository."""
    audio: Annotated[Positional[tuple[Path, ...]], shown_as("AUDIO…")]
    """Sound files, any rate, format and channel count."""
    format: Literal["text", "json", "srt", "vtt"] = "text"
    """What is printed."""
    offsets: bool = False
    """With `json`: also the time of every character."""
    output_dir: Path | None = None
    """Write one file a recording here instead of printing."""
    force: bool = False
    """Overwrite transcripts that are there."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda`, `cuda:1` or `mps`."""
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    """Number format of the network."""


@options
class Request:
    """One sound to write down."""

    audio: Path
    """Sound file, any rate, format and channel count."""
    offset: NonNegative = 0.0
    """Where to begin, in seconds."""
    duration: Positive | None = None
    """How much to hear, in seconds; all by default."""
    channel: NonNegativeInt | None = None
    """Which channel to hear; the mean of all by default."""


@options
class Span:
    """A word or character with its time."""

    text: str
    """The word or character."""
    start: NonNegative
    """Begin, in seconds."""
    end: NonNegative
    """End, in seconds."""
    confidence: Fraction
    """Mean over characters of the highest probability that each reaches."""


@options
class Transcript:
    """What was heard."""

    text: str
    """The words."""
    confidence: Fraction
    """Mean confidence of the characters; 0 when nothing was heard."""
    duration: NonNegative
    """Length of the sound, in seconds."""
    words: tuple[Span, ...] = ()
    """Every word with its time."""
    characters: tuple[Span, ...] = ()
    """Every character with its time."""
