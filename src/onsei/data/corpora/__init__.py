"""Corpora: readers of what speech corpora look like on disk, and what makes manifests of them."""

from onsei.data.corpora.an4 import AN4
from onsei.data.corpora.commonvoice import CommonVoice
from onsei.data.corpora.corpus import Choice, Corpus, Entry, Fault, Utterance
from onsei.data.corpora.esc import ESC
from onsei.data.corpora.gtzan import GTZAN
from onsei.data.corpora.hear import heard
from onsei.data.corpora.labeled import ClassFolder, ClassList
from onsei.data.corpora.librispeech import LibriSpeech
from onsei.data.corpora.manifests import Preparation
from onsei.data.corpora.measure import measured
from onsei.data.corpora.obtain import Found, Source, obtain
from onsei.data.corpora.recordings import Folder, Listed
from onsei.data.corpora.speechcommands import SpeechCommands
from onsei.data.corpora.staging import FAULTS, Arranged, Staged, Written, as_they_came, by_speaker, write_parts
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
"""Every corpus of transcribed speech by the name that commands use."""

__all__ = [
    "AN4",
    "CORPORA",
    "ESC",
    "FAULTS",
    "GTZAN",
    "TEDLIUM",
    "Arranged",
    "Choice",
    "ClassFolder",
    "ClassList",
    "CommonVoice",
    "Corpus",
    "Entry",
    "Fault",
    "Folder",
    "Found",
    "LibriSpeech",
    "Listed",
    "Preparation",
    "Source",
    "SpeechCommands",
    "Staged",
    "Utterance",
    "VoxForge",
    "Written",
    "as_they_came",
    "by_speaker",
    "heard",
    "measured",
    "obtain",
    "write_parts",
]
