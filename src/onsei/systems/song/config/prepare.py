"""Options of the verb `prepare`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from onsei.config import Fraction, NonNegativeInt, Positional, Positive, PositiveInt, options, shown_as
from onsei.former import Former


@options
class Prepare:
    """Make manifests of songs: sound, lyrics in time as text and phones, and a prompt from another place."""

    FORMER: ClassVar[Mapping[str, Former]] = {}

    kind: Positional[Literal["jacappella", "folder", "jsonl"]]
    """`jacappella`: the corpus of that name, `SUBSET/SONG/lead_vocal.wav` and scores beside it; `folder`: sounds with a
    file of the same name that tells the words, `.lab` (HTS labels), `.musicxml`, `.xml`, `.mxl` or `.txt`; `jsonl`: a
    line a song with `audio` (or `audio_path`) and `lyrics`, as SongBloom writes them, or `score`."""
    output_dir: Path
    """Folder for train.jsonl, val.jsonl, the prompts, and faults.tsv, the list of what could not be used."""
    source: Annotated[Positional[str], shown_as("[SOURCE]")] = ""
    """The folder, an archive of it, the JSONL file, or a dataset of the Hub as `user/name`; by default the Hub's
    `jaCappella/jaCappella`, for which the account of `HF_TOKEN` must have been granted access."""
    download_dir: Path | None = None
    """Folder that downloads go to; by default in onsei's cache. With --no-download the corpus is looked for here."""
    no_download: bool = False
    """Take what lies in --download-dir, and fetch nothing."""
    audio_type: str = "lead_vocal"
    """Which sound of a song of jaCappella: `lead_vocal`, `soprano`, `alto`, `tenor`, `bass`, `mixture` …"""
    musicxml_type: Literal["svs", "plain", "romaji"] = "svs"
    """Which of its scores: the one for singing machines, the printed one, or the one in Latin letters."""
    part: str = ""
    """Name, id or number of the part of a score whose words are sung; by default the one called like --audio-type, or
    the only one with words."""
    prompt_sec: Positive = 10.0
    """Length of the prompts in seconds: cut from another place of the song than the row; at most a third of it."""
    clean_japanese: bool = False
    """Take out words that are not Japanese (scat, English) and say how many; a song without any other is left out."""
    particles: Literal["auto", "written", "heard"] = "auto"
    """Whether scores write the particles は and へ as everybody does, or わ and え as they are sung."""
    english: Literal["arpabet", "katakana"] = "arpabet"
    """How English words are sung: with their own sounds, or as Japanese reads them."""
    transcribe: str = ""
    """Whisper model, by name on the Hub or folder, that writes down songs without lyrics; such rows say so."""
    transcribe_language: str = "ja"
    """The language they are sung in."""
    seconds_per_tag: Positive = 1.0
    """Seconds that a tag without words stands for: 1 in models of 150 s, 5 in those of 240 s."""
    max_duration: Positive = 150.0
    """Longest row in seconds; longer songs are cut between sentences, and their lyrics with them."""
    min_duration: Positive = 2.0
    """Leave out shorter pieces, in seconds."""
    max_phones: PositiveInt = 600
    """Most phones, tags and marks of a row; songs with more are cut too."""
    val_fraction: Fraction = 0.1
    """Share of the rows that is held out for validation, by whole songs."""
    seed: NonNegativeInt = 42
    """Seed of the choice of validation songs."""
    device: str = "auto"
    """Where the Whisper model runs."""
    force: bool = False
    """Overwrite manifests that are there."""
