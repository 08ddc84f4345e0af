"""Songs without lyrics, written down by a Whisper model that the user names."""

from __future__ import annotations

from pathlib import Path

from onsei.systems.song.config.prepare import Prepare
from onsei.systems.song.data.timed import Timed
from onsei.systems.song.data.words import Listener, of_sentences
from onsei.units.whisper import Whisper


def listener(options: Prepare) -> Listener:
    """What writes songs down; the model is loaded once."""
    model = Whisper.load(options.transcribe, options.transcribe_language, options.device)

    def listen(audio: Path, offset: float | None, duration: float | None) -> Timed:
        return of_sentences(model.sentences(audio, offset or 0.0, duration), options)

    return listen
