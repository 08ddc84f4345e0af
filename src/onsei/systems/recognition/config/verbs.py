"""Options of the verbs around training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal

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
from onsei.former import Former

_FORMER = {
    "--cuda": Former({"": "--device cuda"}, switch=True),
    "--half": Former({"": "--dtype float16"}, switch=True),
    "--model-path": Former({}, "the model has no flag", "write the model folder as the first word"),
}


@options
class Prepare:
    """Make manifests from a speech corpus, or from recordings of your own with their transcripts."""

    kind: Positional[Literal["folder", "csv", "an4", "librispeech", "tedlium", "voxforge", "commonvoice"]]
    """`folder`: each sound has a text file of the same name beside it, or in `txt/` beside `wav/`; `csv`: rows of
    `audio path,text path`, or another manifest; the others are corpora of that name."""
    output_dir: Annotated[Path, flag("--target-dir")]
    """Folder for train.jsonl, val.jsonl and others, for what is unpacked and converted, and for faults.tsv, the list of
    what could not be used."""
    source: Annotated[Positional[Path | None], shown_as("[SOURCE]")] = None
    """The folder, an archive, a folder of archives, or the CSV file; without it the corpus is downloaded."""
    archive: Annotated[Path | None, flag("--tar-path")] = None
    """Another way to name the source."""
    download_dir: Path | None = None
    """Folder for downloaded archives; by default in onsei's cache."""
    unpack_dir: Path | None = None
    """Folder to unpack archives to; by default `corpus` in the output folder."""
    keep_archive: bool = True
    """Keep what was downloaded after it has been unpacked."""
    url: str = ""
    """Address to download from in place of the corpus' own: of the archive; of the folder that has LibriSpeech's
    archives; of the page that lists VoxForge's."""
    release: Literal["", "1", "2", "3"] = ""
    """Release of TED-LIUM to download; 2 if not given."""
    subsets: Annotated[str, flag("--files-to-use", "--files-to-process")] = ""
    """Comma-separated parts to take, by default all: subsets of LibriSpeech (`train-clean-100,dev-clean`), of TED-LIUM
    (`train,dev`), lists of Common Voice (`validated.tsv,dev.tsv,test.tsv`)."""
    language: Annotated[str, flag("--language-dir")] = ""
    """Language of Common Voice, by its folder's name, where there are several."""
    val_fraction: Fraction = 0.1
    """Share of the training utterances that becomes the validation manifest, where the corpus has none; whole speakers
    where they are known."""
    min_duration: NonNegative = 0.0
    """Leave out shorter training sounds, in seconds."""
    max_duration: NonNegative = 0.0
    """Leave out longer training sounds, in seconds; 0 sets no limit."""
    seed: int = 123456
    """Seed of the split."""
    force: bool = False
    """Overwrite manifests that are there."""


@options
class Labels:
    """Show which labels the transcripts of a manifest need, with counts, and write them to a file."""

    manifest: Annotated[Positional[Path], shown_as("MANIFEST")]
    """Manifest of the training utterances."""
    output: Path | None = None
    """Write the labels to this file, for `--labels-path`; with bpe to this folder, for `--pieces-path`."""
    min_count: PositiveInt = 1
    """Occurrences that a character or word needs to get a label."""
    units: Literal["characters", "words", "bpe"] = "characters"
    """What a label stands for; bpe: pieces of words, learned by sentencepiece."""
    vocab_size: PositiveInt = 500
    """With bpe: number of labels with the blank."""
    case: Literal["upper", "lower", "keep"] = "upper"
    """Case that transcripts are brought to."""
    script: Literal["plain", "kanji", "kana", "reading"] = "plain"
    """How transcripts are spelled, as in training."""
    force: bool = False
    """Overwrite labels that are there."""


@options
class Evaluate:
    """Measure a recognizer on a manifest."""

    FORMER: ClassVar[Mapping[str, Former]] = _FORMER

    model: Annotated[Positional[str], shown_as("MODEL")]
    """Model folder or Hub repository."""
    test_manifest: Path
    """Manifest with transcripts."""
    json: Path | None = None
    """Write the numbers to this file as one flat JSON object; rates in percent, and the normalizer's name."""
    table: Path | None = None
    """Write one JSON line an utterance: reference, hypothesis, errors, times; `compare` reads it."""
    unknown_characters: Literal["fail", "drop"] = "drop"
    """What to do when transcripts hold characters outside the labels: stop, or count them and score without them."""
    normalizer: Literal["auto", "none", "lower", "basic"] = "auto"
    """What counts as the same text. None: words as they stand; lower: case does not matter; basic: nor do punctuation,
    but for apostrophes in words, and width of characters (NFKC). Auto: none for labels of one case without punctuation,
    else basic."""
    bootstrap_by: Literal["auto", "utterance", "speaker"] = "auto"
    """What the bootstrap draws for the intervals; auto: speakers where all rows have one."""
    resamples: PositiveInt = 10000
    """Draws of the bootstrap."""
    seed: NonNegativeInt = 0
    """Seed of the bootstrap."""
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
class Compare:
    """Compare two recognizers on the same utterances: is the second better, and how sure is that?"""

    first: Annotated[Positional[Path], shown_as("FIRST")]
    """Table of the first, which `evaluate --table` wrote."""
    second: Annotated[Positional[Path], shown_as("SECOND")]
    """Table of the second."""
    normalizer: Literal["none", "lower", "basic"] | None = None
    """What counts as the same text; by default as the tables say. See `evaluate`."""
    bootstrap_by: Literal["auto", "utterance", "speaker"] = "auto"
    """What the bootstrap draws; auto: speakers where all rows have one."""
    resamples: PositiveInt = 10000
    """Draws of the bootstrap."""
    seed: NonNegativeInt = 0
    """Seed of the bootstrap."""
    json: Path | None = None
    """Write the numbers to this file as one flat JSON object; rates in percent."""


@options
class Transcribe:
    """Write down what recordings say."""

    FORMER: ClassVar[Mapping[str, Former]] = {
        **_FORMER,
        "--audio-path": Former({}, "recordings have no flag", "write them as words after the model"),
    }

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
