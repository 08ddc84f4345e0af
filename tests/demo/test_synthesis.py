"""espeak-ng speaks in a process of its own, and says so when it cannot."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from onsei.demo import synthesis
from onsei.demo.synthesis import Utterance, speak
from onsei.errors import DataError, OnseiError


@pytest.fixture(autouse=True)
def espeak() -> None:
    pytest.importorskip("espeakng_loader")


def test_clips_come_back_in_order_whatever_the_voices(tmp_path: Path) -> None:
    voices = ["en-us", "en-gb-scotland", "en-us", "en-gb-x-rp", "en-gb-scotland"]
    wanted = [Utterance(tmp_path / f"{i}.wav", f"open door {i}", voice) for i, voice in enumerate(voices)]
    clips = speak(wanted)
    assert [clip.utterance for clip in clips] == wanted
    assert all(clip.utterance.path.stat().st_size > 10000 for clip in clips)


def test_nothing_to_say_is_no_error() -> None:
    assert speak([]) == []


def test_silence_before_the_speech_moves_the_words(tmp_path: Path) -> None:
    def first_word(lead: float) -> float:
        return speak([Utterance(tmp_path / "a.wav", "open the door", "en-us", lead=lead)])[0].words[0][1]

    assert first_word(0.5) - first_word(0.1) == pytest.approx(0.4, abs=0.002)


def test_words_that_the_synthesizer_joins_are_an_error_not_a_guess(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="joins 'the' in 'turn on the lights'"):
        speak([Utterance(tmp_path / "a.wav", "turn on the lights", "en-us")])


@pytest.mark.parametrize("text", ["", "   "])
def test_an_empty_sentence_is_an_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(DataError, match="spoke nothing"):
        speak([Utterance(tmp_path / "a.wav", text, "en-us")])


def test_a_failing_process_is_told_with_its_last_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "broken.py"
    program.write_text("raise SystemExit('the library would not load')")
    monkeypatch.setattr(synthesis, "_PROGRAM", program)
    with pytest.raises(OnseiError, match="ended with code 1 after 0 of 1 clips: the library would not load"):
        speak([Utterance(tmp_path / "a.wav", "open the door", "en-us")])


def test_the_synthesizer_is_never_loaded_into_this_process(tmp_path: Path) -> None:
    """It is under the GPL: only the program that onsei starts may load it."""
    code = (
        "import sys; from pathlib import Path; from onsei.demo.synthesis import Utterance, speak\n"
        f"speak([Utterance(Path({str(tmp_path / 'a.wav')!r}), 'open the door', 'en-us')])\n"
        "assert 'espeakng_loader' not in sys.modules and 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
