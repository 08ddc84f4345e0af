"""Options of the verb `prepare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from onsei.config import Fraction, NonNegative, NonNegativeInt, Positional, Positive, flag, options, shown_as


@options
class Prepare:
    """Make manifests from a corpus of labeled sounds, or from sounds of your own with their classes."""

    kind: Positional[Literal["gtzan", "esc50", "esc10", "speechcommands", "folder", "csv"]]
    """`folder`: a subfolder of sounds for each class, or such in `train`, `val` and `test`; `csv`: a list whose first
    line names its columns, `path,label` and, if known, `split`, `fold`, `speaker`, `recording`, `artist`; the others
    are corpora of that name."""
    output_dir: Annotated[Path, flag("--target-dir")]
    """Folder for train.jsonl, val.jsonl, test.jsonl or all.jsonl, for what is unpacked, and for faults.tsv, the list of
    what could not be used."""
    source: Annotated[Positional[str], shown_as("[SOURCE]")] = ""
    """The folder, an archive, the CSV file, or a dataset of the Hub as `user/name`, of which archives and sounds are
    fetched and code never; without it the corpus is downloaded."""
    url: str = ""
    """Address to download the archive from in place of the corpus' own."""
    download_dir: Path | None = None
    """Folder for downloaded archives; by default in onsei's cache."""
    unpack_dir: Path | None = None
    """Folder to unpack archives to; by default `corpus` in the output folder."""
    keep_archive: bool = True
    """Keep what was downloaded after it has been unpacked."""
    split: Literal["random", "filtered"] = "random"
    """Split of GTZAN. Random: that of Hugging Face's audio course, 899 and 100 clips by chance, with the same artists
    and recordings on both sides; filtered: without faulty clips and common artists, 443, 197 and 290 clips
    (Kereliuk, Sturm and Larsen 2015)."""
    classes: Literal[12, 35] = 35
    """Classes of Speech Commands. 35: all words; 12: ten words, `_unknown_` and `_silence_`."""
    val_fold: NonNegativeInt = 0
    """Fold of ESC that becomes val.jsonl, 1 to 5; 0: none."""
    test_fold: NonNegativeInt = 0
    """Fold of ESC that becomes test.jsonl, 1 to 5; without any, all.jsonl has all clips with their folds, for
    cross-validation."""
    val_fraction: Fraction = 0.1
    """Share of the clips of `folder` and `csv` that is held out for validation, like much of every class, where they
    say nothing about parts."""
    test_fraction: Fraction = 0.0
    """Share that is held out for the test, likewise."""
    recording: str = ""
    """Regular expression for paths in `folder`; its first group is the recording a clip was cut from. Clips of one
    recording stay on one side."""
    speaker: str = ""
    """Likewise for who speaks."""
    group_by: Literal["auto", "recording", "speaker", "artist", "none"] = "auto"
    """What stays on one side when `folder` and `csv` are split. Auto: the first of recording, speaker and artist that
    all rows have."""
    min_duration: NonNegative = 0.05
    """Leave out shorter sounds, in seconds."""
    max_duration: Positive = 600.0
    """Leave out longer sounds, in seconds."""
    keep_silent: bool = False
    """Keep sounds in which nothing is louder than 80 dB below full scale."""
    seed: NonNegativeInt = 42
    """Seed of splits of `folder` and `csv`, and of the choice of unknown words and silence."""
    force: bool = False
    """Overwrite manifests that are there."""
