"""Options of the verb `prepare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from onsei.config import Fraction, NonNegative, NonNegativeInt, Positional, Positive, flag, options, shown_as


@options
class Prepare:
    """Make manifests from recordings with pictures, with sentences, or with neither."""

    output_dir: Path
    """Folder for unlabeled.jsonl; pairs_train.jsonl, pairs_val.jsonl and pairs_test.jsonl; parallel_train.jsonl …; and
    unmatched.tsv, the list of what could not be used."""
    source: Annotated[Positional[Path | None], shown_as("[SOURCE]")] = None
    """A folder that has some of `target_lang_unlabeled/`, `images/` with `audio/`, `multimodal_pairs/{audio,images}`,
    `parallel_pairs/{audio,text}`; what the collection app exports, as a folder or zip; a folder of sounds; or a
    manifest whose rows have `image` or `text`."""
    unlabeled: Path | None = None
    """Folder of recordings without picture or sentence, wherever it lies."""
    audio: Annotated[Path | None, flag("--audio-dir")] = None
    """Folder of recordings whose names are those of pictures in `images`, or sentences in `text`."""
    images: Annotated[Path | None, flag("--image-dir")] = None
    """Folder of pictures."""
    text: Annotated[Path | None, flag("--text-dir")] = None
    """Folder of sentences, a text file each."""
    captions: Annotated[Path | None, flag("--captions-file")] = None
    """List of captions as Flickr8k has them, `picture.jpg,caption` or `picture.jpg#0<tab>caption`. Recordings of
    `audio` get them as sentences; where there are no recordings, the captions are spoken."""
    all_captions: bool = False
    """Speak all captions of a picture, and not only its first."""
    tts_command: str = ""
    """Program that speaks a caption, with {text} and {output} in it, such as `piper -f {output} -- {text}`; empty:
    espeak-ng, of the extra `demo`."""
    voices: tuple[str, ...] = ("en-us", "en-us+f3", "en-gb-x-rp+m3", "en-us+m7", "en-gb-scotland+f2")
    """Voices of espeak-ng, one after another; each becomes a speaker."""
    val_fraction: Fraction = 0.1
    """Share of pairs and of sentences that becomes val."""
    test_fraction: Fraction = 0.1
    """Share that becomes test."""
    group_by: Literal["content", "speaker"] = "content"
    """What stays on one side: rows of one picture (the same file under any name) or one sentence; or those of a speaker
    too."""
    min_duration: NonNegative = 0.2
    """Shorter recordings are listed and left out, in seconds."""
    max_duration: Positive = 60.0
    """Longer recordings of pairs and sentences are listed and left out, in seconds."""
    check_images: bool = True
    """Decode every picture once, so that broken ones are found here."""
    seed: NonNegativeInt = 0
    """Seed of the split."""
    force: bool = False
    """Overwrite manifests that are there."""
