"""Small trees of songs: tones with scores beside them, laid out as the corpora lay theirs out."""

import numpy as np

from onsei.audio import io
from tests.song.written import bar, first, note, rest, score, song


def tone(path, seconds, rate=16000, pitch=220.0):
    """A tone that grows louder, so that every place of it is told from the others."""
    time = np.arange(round(seconds * rate)) / rate
    io.save(path, (np.linspace(0.1, 0.8, len(time)) * np.sin(2 * np.pi * pitch * time)).astype(np.float32), rate)
    return path


WORDS = {
    "jazz/yama": "さくらさ のはらも / やまもさ とおいな",
    "jazz/umi": "うみはひ ろいなお",
    "bossa/kaze": "かぜがふ いてきた / とりがな いている",
}
SCAT = [first(), bar(*(note(word) for word in ("LA", "BA", "DA", "DA"))), bar(rest())]


def jacappella(folder, words=None):
    """The corpus' layout: SUBSET/SONG/ with a sound for each voice and three scores."""
    for number, (name, text) in enumerate((WORDS if words is None else words).items()):
        place = folder / name
        written = song(text) if isinstance(text, str) else score(*text)
        title = place.name
        bars = written.count("<measure")
        for voice in ("lead_vocal", "bass", "mixture"):
            tone(place / f"{voice}.wav", 2.0 * bars, pitch=200.0 + 40 * number)
        (place / f"{title}_SVS.musicxml").write_text(written, encoding="utf-8")
        (place / f"{title}.musicxml").write_text(written, encoding="utf-8")
        (place / f"{title}_romaji.musicxml").write_text(score(first(note("sa"), note("ku"))), encoding="utf-8")
    (folder / "meta.csv").write_text("id,title\n", encoding="utf-8")
    return folder
