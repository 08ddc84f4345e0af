"""Speaking, checking and measuring, by the command line and from Python; bad input at each door."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from onsei import cli
from onsei.audio import io
from onsei.errors import OnseiError
from onsei.systems.vocoder.baseline import GriffinLimVoice
from onsei.systems.vocoder.config import Request
from onsei.systems.vocoder.data.example import MEL, RATE
from onsei.systems.vocoder.data.mels import load_mel
from onsei.systems.vocoder.evaluation.measure import mel_l1
from onsei.vocoder.mel import aligned, prepared
from onsei.vocoder.synthesis import CHUNK
from tests.vocoder_system.conftest import mel_of


def run(*words):
    return cli.main(["vocoder", *map(str, words)])


def test_mels_and_sounds_become_wav_files(model, wavs, tmp_path):
    mels = tmp_path / "mels"
    assert run("vocode", model, mels / "a.npy", wavs / "b.wav", "--output-dir", tmp_path / "out") == 0
    assert io.info(tmp_path / "out" / "a.wav").frames == MEL.frames(3000) * MEL.hop
    assert io.info(tmp_path / "out" / "b.wav").frames == 1200  # a copy lies where the recording lies
    assert run("vocode", model, mels / "a.npy", "--output-dir", tmp_path / "out") == 2  # nothing is overwritten
    assert run("vocode", model, mels / "a.npy", "--output-dir", tmp_path / "out", "--force") == 0


def test_folders_are_spoken_by_upstreams_flags_and_a_broken_mel_stops_no_other(model, wavs, tmp_path, capsys):
    (tmp_path / "mels" / "b.npy").write_bytes(b"x")
    assert run("vocode", model, "--input_mels_dir", tmp_path / "mels", "--output_dir", tmp_path / "out") == 2
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.wav", "c.wav", "d.wav"]
    assert "b.npy: cannot be read as a mel" in capsys.readouterr().err


def test_a_refined_copy_misses_less_of_the_mel(model, wavs, tmp_path):
    test = tmp_path / "test.jsonl"
    test.write_text(json.dumps({"id": "a", "audio": str(wavs / "a.wav"), "duration": 1.0}) + "\n", encoding="utf-8")
    words = ("--test-manifest", test, "--refine", 8, "--no-baseline", "--json", tmp_path / "found.json")
    assert run("evaluate", model, *words) == 0
    found = json.loads((tmp_path / "found.json").read_text(encoding="utf-8"))
    assert found["refined_mel_l1"] < found["mel_l1"]
    assert run("vocode", model, wavs / "a.wav", "--output-dir", tmp_path / "plain") == 0
    assert run("vocode", model, wavs / "a.wav", "--output-dir", tmp_path / "near", "--refine", 8) == 0
    plain, near = (io.load(tmp_path / name / "a.wav", RATE)[0] for name in ("plain", "near"))
    assert len(plain) == len(near)
    assert abs(plain - near).max() > 1e-3


def test_griffin_lim_needs_a_definition_and_no_training(model, wavs, tmp_path, capsys):
    assert run("vocode", "griffin-lim", wavs / "a.wav", "--output-dir", tmp_path / "out") == 2
    assert "by which mel definition" in capsys.readouterr().err
    assert run("vocode", "griffin-lim", wavs / "a.wav", "--like", model, "--output-dir", tmp_path / "out") == 0
    sound, _ = io.load(wavs / "a.wav", RATE)
    copy, _ = io.load(tmp_path / "out" / "a.wav", RATE)
    import torch

    whole = aligned(prepared(torch.from_numpy(sound), MEL), MEL).numpy()
    assert mel_l1(whole, copy[: len(whole)], MEL) < 0.2


@pytest.mark.parametrize("padding", ["hop", "center", "none"])
def test_griffin_lim_stands_where_the_frames_stand(padding):
    mel = replace(MEL, padding=padding, preemphasis=0.5)
    time = np.arange(4000) / RATE
    sound = (0.3 * np.sin(2 * np.pi * 440 * time) * (time % 0.1 < 0.05)).astype(np.float32)
    copy = GriffinLimVoice(mel).copy(sound)
    power = [np.convolve(x**2, np.ones(80), "same")[300:-300] for x in (sound, copy)]
    lags = range(-60, 61)
    best = max(lags, key=lambda lag: float(np.dot(power[0], np.roll(power[1], lag))))
    assert abs(best) <= 16
    assert len(copy) == len(sound)


BAD = {
    "bands.npy": (np.zeros((31, 5), np.float32), "expected 32 bands"),
    "turned.npy": (np.zeros((5, 32), np.float32), "turn it round"),
    "empty.npy": (np.zeros((32, 0), np.float32), "without frames"),
    "nan.npy": (np.full((32, 5), np.nan, np.float32), "NaN"),
    "whole.npy": (np.zeros((32, 5), np.int64), "floating-point"),
    "flat.npy": (np.zeros(32, np.float32), "of shape"),
    "objects.npy": (np.array([{"a": 1}], dtype=object), "cannot be read"),
}


@pytest.mark.parametrize("name", BAD)
def test_mels_that_cannot_be_spoken_are_refused_by_name(runner, tmp_path, name):
    content, message = BAD[name]
    np.save(tmp_path / name, content, allow_pickle=True)
    with pytest.raises(OnseiError, match=message) as error:
        runner(Request(tmp_path / name))
    assert name in str(error.value)


def test_one_frame_silence_and_a_batch_of_one_are_spoken(runner, tmp_path):
    np.save(tmp_path / "one.npy", np.full((1, 32, 1), -5, np.float32))
    assert len(runner(Request(tmp_path / "one.npy")).samples) == MEL.hop
    np.savez(tmp_path / "two.npz", first=np.zeros((32, 2), np.float32), second=np.zeros((32, 3), np.float32))
    with pytest.raises(OnseiError, match="holds 2 arrays"):
        load_mel(tmp_path / "two.npz", MEL)
    assert load_mel(f"{tmp_path / 'two.npz'}#second", MEL).shape == (32, 3)
    io.save(tmp_path / "silence.wav", np.zeros(900, np.float32), RATE)
    assert np.isfinite(runner(Request(tmp_path / "silence.wav")).sound).all()


def test_a_stream_grows_to_the_whole(runner, tmp_path):
    np.save(tmp_path / "long.npy", np.random.default_rng(0).normal(-3, 1, (32, 5 * CHUNK)).astype(np.float32))
    *parts, last = runner.stream(Request(tmp_path / "long.npy"))
    assert len(parts) >= 2
    assert last == runner(Request(tmp_path / "long.npy"))
    assert parts[0].samples == last.samples[: len(parts[0].samples)]


def test_check_is_content_with_mels_that_fit(model, wavs, tmp_path, capsys):
    assert run("check", model, *(tmp_path / "mels").iterdir(), "--wavs-dir", wavs) == 0
    assert "all fit" in capsys.readouterr().out


WRONG = {
    "decibels": (lambda mel: mel * 20 / np.log(10), "convert by mel \\* 0.11513"),
    "power": (lambda mel: 2 * mel, "natural logarithms of power"),
    "another level": (lambda mel: mel + 1.0, "8.7 dB louder"),
    "linear": (np.exp, "no negative value|does not follow|holds|is scaled"),
    "another sound": (lambda mel: np.random.default_rng(0).normal(-3, 1, mel.shape), "does not follow its sound"),
    "a frame more": (lambda mel: np.pad(mel, ((0, 0), (0, 1)), mode="edge"), r"\+1 frames"),
    "seconds more": (lambda mel: np.pad(mel, ((0, 0), (0, 300)), mode="edge"), r"\+300 frames"),
    "not numbers": (lambda mel: mel * np.nan, "NaN"),
}


@pytest.mark.parametrize("case", WRONG)
def test_check_says_what_does_not_fit_and_how_to_convert(model, wavs, tmp_path, capsys, case):
    import re

    change, message = WRONG[case]
    for path in (tmp_path / "mels").iterdir():
        np.save(path, change(np.load(path)).astype(np.float32))
    assert run("check", model, *(tmp_path / "mels").iterdir(), "--wavs-dir", wavs) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert re.search(message, said), said


@pytest.mark.parametrize(
    ("change", "word"), [({"padding": "center"}, "padding center"), ({"preemphasis": 0.97}, "preemphasis 0.97")]
)
def test_check_recognizes_definitions_that_are_often_confused(model, tmp_path, capsys, change, word):
    random = np.random.default_rng(0)
    time = np.arange(6000) / RATE
    sound = 0.2 * np.sin(2 * np.pi * 300 * time) * (np.sin(2 * np.pi * 15 * time) > 0)
    sound = (sound + 0.02 * random.standard_normal(6000)).astype(np.float32)
    io.save(tmp_path / "wavs" / "x.wav", sound, RATE)
    heard, _ = io.load(tmp_path / "wavs" / "x.wav", RATE)
    np.save(tmp_path / "x.npy", mel_of(heard, replace(MEL, **change))[:, : MEL.frames(6000)])
    assert run("check", model, tmp_path / "x.npy", "--wavs-dir", tmp_path / "wavs") == 1
    assert f"looks made with {word}" in " ".join(capsys.readouterr().out.split())


def test_check_compares_the_definitions_of_models_and_configurations(model, tmp_path, capsys):
    from onsei.vocoder.upstream import config_of, written
    from tests.vocoder_system.conftest import TINY

    (tmp_path / "config.json").write_text(written(config_of(TINY, replace(MEL, n_mels=40))), encoding="utf-8")
    assert run("check", model, tmp_path / "config.json") == 1
    assert "n_mels: expected 32 bands, found 40" in capsys.readouterr().out
    assert run("check", model, model) == 0


def test_evaluate_measures_writes_json_and_a_page_with_every_checkpoint(model, made, tmp_path, capsys):
    words = ["--test-manifest", made.train.val_manifest, "--json", tmp_path / "n.json", "--page", tmp_path / "p.html"]
    assert run("evaluate", model, *words, "--limit", 2, "--iterations", 2) == 0
    numbers = json.loads((tmp_path / "n.json").read_text(encoding="utf-8"))
    assert numbers["clips"] == 2
    assert all(value is None or isinstance(value, (int, float)) for value in numbers.values())
    for name in ("mel_l1", "stft_log_magnitude", "stoi", "f0_rmse", "voicing_error", "griffin_lim_mel_l1"):
        assert name in numbers
    assert "pesq" not in numbers
    page = (tmp_path / "p.html").read_text(encoding="utf-8")
    assert all(word in page for word in ("step 1", "step 2", "step 3", "griffin-lim", "data:audio"))
    assert "griffin-lim" in capsys.readouterr().out


def test_an_unfinished_run_is_measured_by_its_newest_checkpoint(model, made, tmp_path):
    import shutil

    copy = Path(shutil.copytree(model, tmp_path / "copy"))
    (copy / "onsei.json").unlink()
    words = ["--test-manifest", made.train.val_manifest, "--json", tmp_path / "n.json", "--limit", 1, "--no-baseline"]
    assert run("evaluate", copy, *words) == 0
    assert json.loads((tmp_path / "n.json").read_text(encoding="utf-8"))["clips"] == 1


def test_a_manifest_without_a_readable_recording_is_told(model, tmp_path, capsys):
    (tmp_path / "m.jsonl").write_text('{"id": "a", "audio": "nowhere.wav"}\n', encoding="utf-8")
    assert run("evaluate", model, "--test-manifest", tmp_path / "m.jsonl") == 2
    assert "none of its recordings could be read" in capsys.readouterr().err
