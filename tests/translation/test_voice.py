"""Units are spoken: the tones that they stand for are heard again, and sounds are not overwritten."""

import json

import numpy as np

from onsei import cli
from onsei.audio import io
from onsei.data.manifest import Manifest
from onsei.systems.translation.data.example import PITCHES


def run(*words):
    return cli.main(["translation", "speak", *map(str, words)])


def test_units_of_tones_are_spoken_as_the_tones(unit_model, corpus, tmp_path):
    rows = list(Manifest.open(corpus / "val.jsonl"))[:3]
    words = [unit_model, *(row.audio for row in rows), "--data-dir", corpus / "train.jsonl", "--output-dir", tmp_path]
    assert run(*words) == 0
    right = 0
    for row in rows:
        made, rate = io.load(tmp_path / f"{row.audio.stem}.units.wav")
        for phone in row.phones:
            inside = made[int((phone.start + 0.06) * rate) : int((phone.end - 0.06) * rate)]
            spectrum = np.abs(np.fft.rfft(inside * np.hanning(len(inside))))
            heard = spectrum.argmax() * rate / len(inside)
            wanted = PITCHES["abcd".index(phone.symbol)]
            right += abs(np.log2(heard / wanted)) < 0.25
    assert right >= 10  # of 12
    assert run(*words) == 2
    assert run(*words, "--force", "--iterations", "1") == 0


def test_what_is_no_vocoder_is_refused(unit_model, corpus, tmp_path, capsys):
    words = [unit_model, corpus / "val-0.wav", "--data-dir", corpus / "train.jsonl", "--output-dir", tmp_path / "out"]
    assert run(*words, "--vocoder", unit_model) == 2
    assert "no vocoder" in capsys.readouterr().err
    assert json.loads((unit_model / "onsei.json").read_text(encoding="utf-8"))["stage"] == "fit-units"
