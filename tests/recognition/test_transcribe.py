"""`transcribe`: formats, files, bad files among good ones, sounds of any rate and length."""

import json
import re
from itertools import pairwise

import numpy as np
import pytest

from onsei.audio import io
from onsei.audio.resample import resample
from onsei.systems.recognition.config import Request
from onsei.systems.recognition.data.example import RATE
from onsei.systems.recognition.inference import Transcriber, Transcript, quietest
from tests.audio.sounds import write_coded
from tests.commands import assert_refused
from tests.recognition.corpus import BAD, command, rows, sound, tones, write_bad

TIME = r"\d\d:[0-5]\d:[0-5]\d[,.]\d\d\d"


@pytest.fixture(scope="module")
def clips(corpus):
    return [row.audio for row in rows(corpus, 4, "val")]


def transcribe(capsys, model, *words):
    return command(capsys, "transcribe", model, *words, "--device", "cpu")


def test_text_of_one_file_stands_alone_and_of_several_beside_its_name(capsys, model, runner, clips):
    texts = [runner(Request(clip)).text for clip in clips[:2]]
    assert any(texts)
    assert transcribe(capsys, model, clips[0]).out == f"{texts[0]}\n"
    expected = "".join(f"{clip}\t{text}\n" for clip, text in zip(clips, texts, strict=False))
    assert transcribe(capsys, model, *clips[:2]).out == expected


def test_json_has_words_and_with_offsets_characters(capsys, model, clips):
    answer = json.loads(transcribe(capsys, model, clips[0], "--format", "json").out)
    assert "characters" not in answer
    full = json.loads(transcribe(capsys, model, clips[0], "--format", "json", "--offsets").out)
    assert " ".join(w["text"] for w in answer["words"]) == answer["text"]
    assert "".join(c["text"] for c in full["characters"]).split() == answer["text"].split()
    assert all(0 <= s["start"] <= s["end"] <= answer["duration"] for s in full["characters"] + full["words"])


@pytest.mark.parametrize("kind", ["srt", "vtt"])
def test_subtitles_are_well_formed(kind, capsys, model, clips):
    out = transcribe(capsys, model, clips[0], "--format", kind).out
    cues = out.strip().split("\n\n")
    if kind == "vtt":
        assert cues.pop(0) == "WEBVTT"
    assert cues
    for number, cue in enumerate(cues, 1):
        lines = cue.split("\n")
        if kind == "srt":
            assert lines.pop(0) == str(number)
        times = re.fullmatch(f"({TIME}) --> ({TIME})", lines[0])
        assert times
        assert times[1] < times[2]
        assert ("," in lines[0]) == (kind == "srt")
        assert lines[1:] == [" ".join(lines[1].split())]


def test_several_recordings_as_subtitles_need_a_folder(capsys, model, clips):
    assert_refused(transcribe(capsys, model, *clips[:2], "--format", "srt"), "--output-dir")


def test_a_folder_of_transcripts_has_one_file_a_recording_without_names_in_it(capsys, model, runner, clips, tmp_path):
    assert transcribe(capsys, model, *clips[:2], "--output-dir", tmp_path / "out").status == 0
    for clip in clips[:2]:
        text = (tmp_path / "out" / f"{clip.stem}.txt").read_text(encoding="utf-8")
        assert text == runner(Request(clip)).text + "\n"


def test_two_recordings_of_one_name_are_refused_before_the_work(capsys, model, clips, tmp_path):
    io.save(tmp_path / "b" / clips[0].name, tones(), RATE)
    answer = transcribe(capsys, model, clips[0], tmp_path / "b" / clips[0].name, "--output-dir", tmp_path / "out")
    assert_refused(answer, clips[0], tmp_path / "b", "both")
    assert not (tmp_path / "out").exists()


def test_a_transcript_that_is_there_stays_unless_forced(capsys, model, clips, tmp_path):
    there = tmp_path / f"{clips[0].stem}.txt"
    there.write_text("by hand")
    assert_refused(transcribe(capsys, model, clips[0], "--output-dir", tmp_path), there, "--force")
    assert there.read_text() == "by hand"
    assert transcribe(capsys, model, clips[0], "--output-dir", tmp_path, "--force").status == 0
    assert there.read_text() != "by hand"


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_among_good_ones_is_named_and_the_others_go_on(kind, capsys, model, runner, clips, tmp_path):
    bad = write_bad(tmp_path, kind)
    answer = transcribe(capsys, model, clips[0], bad, clips[1])
    assert_refused(answer, bad)
    texts = [runner(Request(clip)).text for clip in clips[:2]]
    assert answer.out == f"{clips[0]}\t{texts[0]}\n{clips[1]}\t{texts[1]}\n"


def test_an_output_folder_that_is_a_file_is_one_message(capsys, model, clips, tmp_path):
    (tmp_path / "out").write_text("a file")
    assert_refused(transcribe(capsys, model, clips[0], "--output-dir", tmp_path / "out"), "out")


def test_nothing_to_hear_and_no_such_device_are_named(capsys, model, clips):
    assert_refused(transcribe(capsys, model), "no sound files")
    for device in ("toaster", "meta", "cuda:99"):
        assert_refused(command(capsys, "transcribe", model, clips[0], "--device", device), device)


@pytest.mark.parametrize(("rate", "channels"), [(8000, 2), (96000, 8), (44100, 1)])
def test_any_rate_and_channel_count_gives_the_same_words(rate, channels, runner, clips, tmp_path):
    same = [resample(sound(clips[0]), RATE, rate)] * channels
    io.save(tmp_path / "a.wav", np.stack(same), rate)
    assert runner(Request(tmp_path / "a.wav")).text == runner(Request(clips[0])).text


@pytest.mark.parametrize("suffix", ["mp3", "ogg", "flac", "m4a"])
def test_compressed_sounds_give_the_same_words(suffix, runner, clips, tmp_path):
    path, samples = tmp_path / f"a.{suffix}", resample(sound(clips[0]), RATE, 16000)
    if suffix == "m4a":
        write_coded(path, samples, 16000)
    else:
        io.save(path, samples, 16000)
    assert runner(Request(path)).text == runner(Request(clips[0])).text


def test_silence_and_a_click_are_heard_without_nan(runner, tmp_path):
    for name, samples in (("silence", np.zeros(RATE, np.float32)), ("click", np.ones(1, np.float32) / 2)):
        io.save(tmp_path / f"{name}.wav", samples, RATE)
        heard = runner(Request(tmp_path / f"{name}.wav"))
        assert 0 <= heard.confidence <= 1


def test_a_segment_is_heard_as_if_it_were_the_file(runner, clips, tmp_path):
    parts = [sound(clip) for clip in clips[:3]]
    io.save(tmp_path / "all.wav", np.concatenate(parts), RATE)
    offset, duration = len(parts[0]) / RATE, len(parts[1]) / RATE
    heard = runner(Request(tmp_path / "all.wav", offset, duration))
    alone = runner(Request(clips[1]))
    assert heard.text == alone.text
    assert heard.words[0].start == pytest.approx(offset + alone.words[0].start, abs=1e-3)


def test_long_sound_is_cut_where_it_is_quiet_and_times_stay_right(runner, corpus, tmp_path):
    pause, parts, expected, at = np.zeros(int(0.8 * RATE), np.float32), [], [], 0.0
    clips = [row.audio for row in rows(corpus, 30, "val")]
    while at < 70:
        for clip in clips:
            samples = sound(clip)
            parts += [samples, pause]
            expected += [(at + w.start, at + w.end, w.text) for w in runner(Request(clip)).words] if at < 40 else []
            at += (len(samples) + len(pause)) / RATE
    io.save(tmp_path / "long.wav", np.concatenate(parts), RATE)
    heard = runner(Request(tmp_path / "long.wav"))
    assert heard.duration == pytest.approx(at, abs=0.01)
    words = sorted((w.start, w.end) for w in heard.words)
    near = [any(abs(start - s) < 0.1 and abs(end - e) < 0.1 for s, e in words) for start, end, _ in expected]
    assert sum(near) > 0.9 * len(near)


def test_the_cut_lies_in_the_pause():
    samples = tones(30.0)
    samples[27 * RATE : 28 * RATE] = 0
    assert 27 * RATE <= quietest(samples, RATE) <= 28 * RATE


def test_three_hours_are_heard_in_constant_memory(runner, tmp_path, monkeypatch):
    seconds, path = 3 * 3600, tmp_path / "long.wav"
    size = 2 * RATE * seconds
    io.save(path, tones(0.1), RATE)
    head = bytearray(path.read_bytes()[:44])
    head[4:8], head[40:44] = (size + 36).to_bytes(4, "little"), size.to_bytes(4, "little")
    with path.open("wb") as file:
        file.write(head)
        file.truncate(44 + size)
    longest, covered = 0, []

    def hear(self, sounds, starts):
        nonlocal longest
        longest = max(longest, *map(len, sounds))
        covered.append((starts[0], starts[0] + len(sounds[0]) / RATE))
        return [Transcript("", 0.0, covered[-1][1])]

    monkeypatch.setattr(Transcriber, "hear", hear)
    assert runner(Request(path)).duration == pytest.approx(seconds, abs=0.01)
    assert longest <= 30 * RATE
    assert covered[0][0] == 0
    for (_, end), (start, _) in pairwise(covered):
        assert start == pytest.approx(end, abs=1 / RATE)
