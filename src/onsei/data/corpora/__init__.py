"""Corpora: readers of what speech corpora look like on disk, and what makes manifests of them."""

from onsei.data.corpora.an4 import AN4
from onsei.data.corpora.commonvoice import CommonVoice
from onsei.data.corpora.corpus import Choice, Corpus, Entry, Fault, Utterance
from onsei.data.corpora.librispeech import LibriSpeech
from onsei.data.corpora.measure import measured
from onsei.data.corpora.obtain import Found, Source, obtain
from onsei.data.corpora.recordings import Folder, Listed
from onsei.data.corpora.staging import FAULTS, Written, write_parts
from onsei.data.corpora.tedlium import TEDLIUM
from onsei.data.corpora.voxforge import VoxForge

CORPORA: dict[str, Corpus] = {
    "folder": Folder(),
    "csv": Listed(),
    "an4": AN4(),
    "librispeech": LibriSpeech(),
    "tedlium": TEDLIUM(),
    "voxforge": VoxForge(),
    "commonvoice": CommonVoice(),
}
"""Every corpus by the name that commands use."""

__all__ = [
    "AN4",
    "CORPORA",
    "FAULTS",
    "TEDLIUM",
    "Choice",
    "CommonVoice",
    "Corpus",
    "Entry",
    "Fault",
    "Folder",
    "Found",
    "LibriSpeech",
    "Listed",
    "Source",
    "Utterance",
    "VoxForge",
    "Written",
    "measured",
    "obtain",
    "write_parts",
]
