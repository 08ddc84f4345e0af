"""The vocoder's data: lists of recordings, stored mels, segments of both."""

from onsei.systems.vocoder.data.lists import Lists, gathered
from onsei.systems.vocoder.data.mels import load_mel
from onsei.systems.vocoder.data.segments import Batch, Item, Preparation, collate, read_sound, source

__all__ = ["Batch", "Item", "Lists", "Preparation", "collate", "gathered", "load_mel", "read_sound", "source"]
