"""A program of its own that speaks: JSON lines on stdin become WAV files, their word times go to stdout.

espeak-ng is under the GPL, so it is loaded only here, in a process that onsei starts (see ``synthesis.py``); this file
imports nothing of onsei. A line asks for one clip::

    {"path": "a.wav", "sample_rate": 16000, "text": "open the door", "voice": "en-us+f4",
     "rate": 170, "pitch": 50, "range": 50, "lead": 0.1, "tail": 0.1}

and is answered by ``{"duration": seconds, "words": [[word, start, end], ...]}``, or by ``{"fault": ..., "mend": ...}``,
after which the program ends.
"""

from __future__ import annotations

import ctypes
import json
import math
import os
import sys
import wave
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Constants of espeak-ng's speak_lib.h.
_SYNCHRONOUS = 2
_DONT_EXIT = 0x8000
_RATE, _PITCH, _RANGE = 1, 3, 4
_EVENT_NONE, _EVENT_WORD, _EVENT_END = 0, 1, 5
_UTF8 = 1

_LEVEL = 0.8  # of full scale: room for the overshoot of resampling


class _Identity(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Identity),
    ]


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


class SpeechError(Exception):
    """A clip that cannot be spoken as asked; ``args`` are what is wrong and the mend."""


class Speaker:
    """espeak-ng, loaded and ready.

    Its noise and flutter run on from clip to clip: the same requests in the same order give the same bytes, but a clip
    depends on those before it.
    """

    def __init__(self) -> None:
        import espeakng_loader

        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        self._variants = Path(espeakng_loader.get_data_path(), "voices", "!v")
        # espeak-ng keeps its data path in a short buffer and opens it byte by byte: a long one, or Japanese characters
        # on Windows, would end the process. From inside the folder the path is a dot.
        os.chdir(espeakng_loader.get_data_path())
        self.sample_rate: int = self._library.espeak_Initialize(_SYNCHRONOUS, 0, b".", _DONT_EXIT)
        if self.sample_rate <= 0:
            raise SpeechError(f"{espeakng_loader.get_data_path()}: espeak-ng cannot read its data",
                              "pip install --force-reinstall espeakng-loader")  # fmt: skip
        self._library.espeak_Synth.argtypes = [
            ctypes.c_char_p, ctypes.c_size_t, ctypes.c_uint, ctypes.c_int, ctypes.c_uint, ctypes.c_uint,
            ctypes.c_void_p, ctypes.c_void_p,
        ]  # fmt: skip
        self._pieces: list[NDArray[np.int16]] = []
        self._events: list[tuple[int, int, int]] = []
        self._callback = _Callback(self._receive)  # kept: espeak-ng holds only the bare pointer
        self._library.espeak_SetSynthCallback(self._callback)

    def _receive(self, samples: Any, count: int, events: Any) -> int:
        if samples and count > 0:
            self._pieces.append(np.ctypeslib.as_array(samples, (count,)).copy())
        for event in events:
            if event.type == _EVENT_NONE:
                break
            self._events.append((event.type, event.text_position - 1, event.sample))
        return 0

    def choose(self, voice: str) -> None:
        """Speak with another voice. For an unknown one espeak-ng would quietly speak English: this raises."""
        variant = voice.partition("+")[2]
        known = {entry.name for entry in self._variants.iterdir()}
        if "+" in voice and variant not in known:
            raise SpeechError(f"espeak-ng has no variant '{variant}' (voice '{voice}')",
                              "use one of f1, f4 or m1-m8, e.g. en-us+f4")  # fmt: skip
        if self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise SpeechError(f"espeak-ng has no voice '{voice}'",
                              "use e.g. en, en-us, en-us-nyc, en-gb-scotland, en-gb-x-rp or en-us+f4")  # fmt: skip

    def say(self, request: dict[str, Any]) -> tuple[NDArray[np.float64], list[tuple[str, float, float]]]:
        """Speak one request.

        Returns:
            Samples (T,) at ``self.sample_rate`` in -1..1 with the silence asked for, and (word, start, end) in seconds.
        """
        self.choose(request["voice"])
        for parameter, key in ((_RATE, "rate"), (_PITCH, "pitch"), (_RANGE, "range")):
            self._library.espeak_SetParameter(parameter, int(request[key]), 0)
        self._pieces.clear()
        self._events.clear()
        text = request["text"].encode()
        spoken = self._library.espeak_Synth(text, len(text) + 1, 0, 0, 0, _UTF8, None, None) == 0
        if not (spoken and self._pieces and text.strip()):
            raise SpeechError(f"espeak-ng spoke nothing for '{request['text']}'", "give a sentence of words")
        lead, tail = (np.zeros(round(request[key] * self.sample_rate)) for key in ("lead", "tail"))
        samples = np.concatenate([lead, *self._pieces, tail]) * (_LEVEL / 32768)
        return samples, self._words(request["text"], len(lead))

    def _words(self, text: str, lead: int) -> list[tuple[str, float, float]]:
        starts = {position: sample for kind, position, sample in self._events if kind == _EVENT_WORD}
        end = max(sample for kind, _, sample in self._events if kind == _EVENT_END)
        found, position = [], 0
        for word in text.split():
            position = text.index(word, position)
            if position not in starts:
                raise SpeechError(f"espeak-ng joins '{word}' in '{text}' to the word before it, so it has no time",
                                  "word the sentence in another way")  # fmt: skip
            found.append((word, starts[position]))
            position += len(word)
        ends = [*(start for _, start in found[1:]), end]
        return [
            (word, (start + lead) / self.sample_rate, (stop + lead) / self.sample_rate)
            for (word, start), stop in zip(found, ends, strict=True)
        ]


def at_rate(samples: NDArray[np.float64], source: int, target: int) -> NDArray[np.float64]:
    """Bring a whole clip (T,) down to ``target`` Hz by cutting its spectrum; ``target`` may not be above ``source``."""
    if target > source:
        raise SpeechError(f"espeak-ng speaks at {source} Hz, {target} Hz were asked for", f"ask for at most {source}")
    step = source // math.gcd(source, target)
    padded = np.pad(samples, (0, -len(samples) % step))  # so that the new length is whole
    count = len(padded) * target // source
    return np.fft.irfft(np.fft.rfft(padded)[: count // 2 + 1], count) * (count / len(padded))


def write_wav(path: str, samples: NDArray[np.float64], sample_rate: int) -> None:
    """Write samples (T,) in -1..1 as a mono 16-bit WAV file."""
    whole = np.clip(np.round(samples * 32767), -32768, 32767).astype("<i2")
    with wave.open(path, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(whole.tobytes())


def answer(speaker: Speaker, request: dict[str, Any]) -> dict[str, Any]:
    """Make the clip that ``request`` asks for, and tell its length and word times in seconds."""
    samples, words = speaker.say(request)
    rate = request["sample_rate"]
    resampled = at_rate(samples, speaker.sample_rate, rate)
    write_wav(request["path"], resampled, rate)
    return {
        "duration": round(len(resampled) / rate, 4),
        "words": [[word, round(start, 3), round(end, 3)] for word, start, end in words],
    }


def main() -> int:
    """Answer the requests on stdin until it ends."""
    try:
        speaker = Speaker()
        for line in sys.stdin:
            print(json.dumps(answer(speaker, json.loads(line))), flush=True)
    except SpeechError as error:
        print(json.dumps({"fault": error.args[0], "mend": error.args[1]}), flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
