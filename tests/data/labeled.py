"""Miniature trees of corpora of labeled sounds in their real layouts."""

from __future__ import annotations

import numpy as np

from onsei.audio import io
from onsei.data.corpora.gtzan import GENRES
from tests.data.trees import put

RATE = 8000


def sound(path, seed=0, seconds=0.2, rate=RATE):
    """A sound of its own for each seed."""
    samples = 0.3 * np.random.default_rng(seed).standard_normal(round(seconds * rate)).clip(-3, 3)
    io.save(path, samples.astype(np.float32), rate)
    return path


def gtzan(top, each=5, genres=GENRES):
    """The first clips of each genre, and the damaged one."""
    for place, genre in enumerate(genres):
        for number in range(each):
            sound(top / "genres" / genre / f"{genre}.{number:05d}.wav", 1000 * place + number)
    put(top / "genres" / "jazz" / "jazz.00054.wav", b"RIFF" + bytes(range(200)))
    put(top / "genres" / "blues" / "._blues.00000.wav", b"a Mac's")
    put(top / "genres" / "bextract_single.mf", "list")
    return top


def esc(top, clips=2, classes=12):
    """Clips of each class in five folds; the first ten classes are ESC-10's."""
    root = top / "ESC-50-master"
    lines = ["filename,fold,target,category,esc10,src_file,take"]
    for fold in range(1, 6):
        for target in range(classes):
            for take in range(clips):
                source = 10000 * fold + target
                name = f"{fold}-{source}-{'AB'[take]}-{target}.wav"
                sound(root / "audio" / name, 100 * source + take)
                lines.append(f"{name},{fold},{target},class_{target:02d},{target < 10},{source},{'AB'[take]}")
    put(root / "meta" / "esc50.csv", "\n".join(lines) + "\n")
    return top


def speech_commands(top, speakers=10, words=("yes", "no", "up", "bed", "cat")):
    """Speakers who say each word once; the last two are listed for test and validation."""
    lists = {"validation_list.txt": [], "testing_list.txt": []}
    for place, word in enumerate(words):
        for speaker in range(speakers):
            name = f"{word}/{speaker:08x}_nohash_0.wav"
            sound(top / name, 100 * place + speaker)
            if speaker >= speakers - 2:
                lists["testing_list.txt" if speaker == speakers - 1 else "validation_list.txt"].append(name)
    for name, lines in lists.items():
        put(top / name, "\n".join(lines) + "\n")
    sound(top / "_background_noise_" / "white_noise.wav", 5, seconds=15.0)
    put(top / "_background_noise_" / "README.md", "noise")
    put(top / "LICENSE", "CC BY 4.0")
    return top


def classes(top, counts, seconds=0.2):
    """A folder a class, with so many clips as ``counts`` says."""
    for place, (label, count) in enumerate(counts.items()):
        for number in range(count):
            sound(top / label / f"{number:03d}.wav", 1000 * place + number, seconds)
    return top
