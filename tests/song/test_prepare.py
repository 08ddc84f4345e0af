"""Songs become rows: sound, lyrics in time, and a prompt from another place; what cannot be used is told."""

import json
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onsei import cli
from onsei.audio import io
from onsei.data.manifest import Manifest
from onsei.systems.song.data.pieces import pieces
from onsei.systems.song.data.timed import Part, Syllable, Timed
from onsei.text.phones import SYMBOLS, Phones
from tests.song.songs import SCAT, jacappella, tone
from tests.song.written import bar, first, note, rest, score, song
from tests.units import whispers

pytest.importorskip("pyopenjtalk")


def prepare(*words):
    return cli.main(["song", "prepare", *map(str, words)])


def rows(folder, name="train"):
    return list(Manifest.open(folder / f"{name}.jsonl"))


def every(folder):
    return [row for name in ("train", "val") if (folder / f"{name}.jsonl").exists() for row in rows(folder, name)]


def faults(folder):
    return (folder / "faults.tsv").read_text(encoding="utf-8")


def test_jacappella_becomes_rows_with_lyrics_and_prompts_by_song(tmp_path, capsys):
    jacappella(tmp_path / "raw")
    assert prepare("jacappella", tmp_path / "raw", "--output-dir", tmp_path / "out", "--val-fraction", 0.34) == 0
    found = {row.id: row for row in every(tmp_path / "out")}
    assert set(found) == {"jazz-yama-lead_vocal", "jazz-umi-lead_vocal", "bossa-kaze-lead_vocal"}
    assert len(rows(tmp_path / "out", "val")) == 1
    row = found["jazz-yama-lead_vocal"]
    assert "[verse] やまもさ. とおいな" in row.text or "[verse] さくらさ. のはらも" in row.text
    assert "[verse] y a m a m o s a . t o o i n a" in row.extra["symbols"] or (
        "[verse] s a k u r a s a . n o h a r a m o" in row.extra["symbols"]
    )
    assert not [one for one in row.text.split() if one.strip(".,") in ("さ", "も", "な")]
    assert Phones().encode(row.extra["symbols"].split())
    assert row.extra["recording"] == "jazz/yama"
    assert "score" not in row.extra


def test_a_prompt_shares_no_sound_with_its_row(tmp_path):
    jacappella(tmp_path / "raw")
    prepare("jacappella", tmp_path / "raw", "--output-dir", tmp_path / "out", "--prompt-sec", 3, "--max-duration", 12)
    found = every(tmp_path / "out")
    assert len(found) > 3
    for row in found:
        start, end = row.extra["prompt_from"]
        offset = row.offset or 0.0
        assert end <= offset + 1e-3 or start >= offset + row.duration - 1e-3
        assert row.duration <= 12
        prompt, rate = io.load(tmp_path / "out" / row.extra["prompt_wav"])
        assert rate == 16000
        source, _ = io.load(row.audio, offset=start, duration=end - start)
        np.testing.assert_allclose(prompt, source[: len(prompt)], atol=1e-4)


_times = st.lists(st.tuples(st.floats(0.1, 3), st.floats(0, 8)), min_size=1, max_size=40)


@settings(max_examples=80, deadline=None)
@given(_times, st.floats(1, 20), st.floats(3, 60), st.integers(8, 80))
def test_pieces_cover_the_song_once_and_fit_their_limits(times, prompt, longest, most):
    at, sentences = 0.0, []
    for length, gap in times:
        sentences.append((Syllable("さ", ("s", "a"), at + gap, at + gap + length),))
        at += gap + length
    duration = at + 1.0
    timed = Timed((Part("[verse]", sentences[0][0].start, at, tuple(sentences)),))
    found = pieces(timed, duration, prompt, longest=longest, most=most)
    for piece in found:
        assert 0 <= piece.span.start < piece.span.end <= duration + 1e-6
        assert not piece.span.meets(piece.prompt)
        assert 0 < piece.prompt.length <= min(prompt, duration / 3) + 1e-6
        assert piece.span.length <= longest + 1e-6
        assert len(timed.cut(*piece.span).symbols()) <= most
    if len(found) > 1:
        assert found[0].span.start == 0
        assert found[-1].span.end == pytest.approx(duration)
        assert all(a.span.end == b.span.start for a, b in pairwise(found))
    else:
        assert found[0].span.length >= duration / 2 - 1e-6


def test_lyrics_are_cut_with_the_sound(tmp_path):
    jacappella(tmp_path / "raw", {"jazz/yama": "さくらさ / のはらも / やまもさ / とおいな"})
    prepare("jacappella", tmp_path / "raw", "--output-dir", tmp_path / "out", "--max-duration", 14, "--val-fraction", 0)
    texts = [row.text for row in rows(tmp_path / "out")]
    words = ["さくらさ", "のはらも", "やまもさ", "とおいな"]
    assert [word for text in texts for word in words if word in text] == words
    for row in rows(tmp_path / "out"):
        timed = Timed.load(row.extra["sections"], "here")
        assert all(0 <= one.start < one.end <= row.duration for one in timed.syllables())


def test_cleaning_takes_scat_out_counts_it_and_drops_songs_of_nothing_else(tmp_path, capsys):
    mixed = [first(), bar(*(note(word) for word in ("LA", "さ", "く", "ら"))), bar(note("は", 16))]
    jacappella(tmp_path / "raw", {"jazz/scat": SCAT, "jazz/mixed": mixed})
    words = ["jacappella", tmp_path / "raw", "--output-dir", tmp_path / "out", "--clean-japanese", "--val-fraction", 0]
    assert prepare(*words) == 0
    (row,) = rows(tmp_path / "out")
    assert "さくら" in row.text
    assert "LA" not in row.text
    assert row.extra["symbols"].count("s a") == 1
    told = capsys.readouterr().out
    assert "no Japanese words: 4 words in Latin letters" in told
    assert "took out 5 words in Latin letters: LA (2), DA (2), BA (1)" in told
    assert "no Japanese words" in faults(tmp_path / "out")


def test_songs_that_lack_something_are_told_and_the_others_done(tmp_path, capsys):
    raw = jacappella(tmp_path / "raw", {f"jazz/{name}": "さくらさ" for name in "abcdefg"})
    (raw / "jazz/a/a_SVS.musicxml").unlink()
    (raw / "jazz/b/lead_vocal.wav").unlink()
    (raw / "jazz/c/c_SVS.musicxml").write_text("<score-partwise>", encoding="utf-8")
    (raw / "jazz/d/d_SVS.musicxml").write_text(score(first(note(""))), encoding="utf-8")
    two = score(first(note("あ")), parts=[("Alto", first(note("い")))])
    (raw / "jazz/e/e_SVS.musicxml").write_text(two, encoding="utf-8")
    (raw / "jazz/g/g_SVS.musicxml").write_text(song("さくらさ " * 5), encoding="utf-8")
    assert prepare("jacappella", raw, "--output-dir", tmp_path / "out") == 0
    assert [row.extra["recording"] for row in every(tmp_path / "out")] == ["jazz/f"]
    told = faults(tmp_path / "out")
    for found in ("0 scores of --musicxml-type svs", "has no lead_vocal.wav", "no readable XML", "no part has words",
                  "2 parts have words: 'Voice', 'Alto'", "the score lasts 22.0 s, the sound 6.0 s"):  # fmt: skip
        assert found in told
    assert told.count("\n") == 7


def test_the_part_called_like_the_sound_is_sung(tmp_path):
    raw = jacappella(tmp_path / "raw", {"jazz/a": "さくらさ"})
    silent = bar(rest()) * 2
    bass, lead = first(note("い", 16)) + silent, first(note("う", 16)) + silent
    two = score(first(note("あ", 16)), parts=[("Bass", bass), ("Lead Vocal", lead)])
    (raw / "jazz/a/a_SVS.musicxml").write_text(two, encoding="utf-8")
    for voice, word in (("bass", "い"), ("lead_vocal", "う")):
        assert prepare("jacappella", raw, "--output-dir", tmp_path / voice, "--audio-type", voice) == 0
        assert word in rows(tmp_path / voice)[0].text


def test_romaji_scores_are_read(tmp_path):
    raw = jacappella(tmp_path / "raw", {"jazz/a": "さくらさ"})
    bars = [first(), bar(*(note(word) for word in ("shi", "tsu", "kyo", "n"))), bar(rest())]
    (raw / "jazz/a/a_romaji.musicxml").write_text(score(*bars), encoding="utf-8")
    assert prepare("jacappella", raw, "--output-dir", tmp_path / "out", "--musicxml-type", "romaji") == 0
    assert "sh i ts u" in rows(tmp_path / "out")[0].extra["symbols"]


def test_a_folder_of_ones_own_has_scores_labels_or_texts(tmp_path, capsys):
    tone(tmp_path / "in/a.wav", 12)
    (tmp_path / "in/a.musicxml").write_text(song("さくらさ のはらも"), encoding="utf-8")
    tone(tmp_path / "in/b.flac", 12)
    labels = "0 20000000 pau\n20000000 21000000 s\n21000000 30000000 U\n30000000 90000000 pau\n90000000 100000000 N\n"
    (tmp_path / "in/b.lab").write_text(labels + "100000000 120000000 sil\n", encoding="utf-8")
    tone(tmp_path / "in/c.wav", 12)
    (tmp_path / "in/c.txt").write_text("[verse] 春の風. 春の風\n", encoding="utf-8")
    tone(tmp_path / "in/d.wav", 12)
    (tmp_path / "in/d.txt").write_text("春の風", encoding="utf-8")
    tone(tmp_path / "in/e.wav", 12)
    (tmp_path / "in/f.wav").write_bytes(b"RIFF")
    (tmp_path / "in/f.txt").write_text("春の風", encoding="utf-8")
    assert prepare("folder", tmp_path / "in", "--output-dir", tmp_path / "out", "--val-fraction", 0) == 0
    found = {row.id: row for row in rows(tmp_path / "out")}
    assert set(found) == set("abcd")
    symbols = "[intro] [intro] , [verse] s u , [inst] [inst] [inst] [inst] [inst] [inst] , [verse] N"
    assert found["b"].extra["symbols"].startswith(symbols[:26])
    assert found["d"].text.startswith("[verse] 春の風")
    told = faults(tmp_path / "out")
    assert "no words" in told
    assert "f.wav" in told
    assert set(" ".join(row.extra["symbols"] for row in found.values()).split()) <= set(SYMBOLS)


def test_of_a_list_with_bad_lines_these_are_named_and_the_others_done(tmp_path):
    tone(tmp_path / "a.wav", 12)
    tone(tmp_path / "p.wav", 3)
    lines = [
        {"idx": 1, "lyrics": "[verse] さくら. さくら", "audio_path": "a.wav", "prompt_wav": "p.wav"},
        '{"idx": 2, "lyrics": ',
        {"idx": 3, "lyrics": "[hook] さくら", "audio_path": "a.wav"},
        {"idx": 4, "lyrics": "", "audio_path": "a.wav"},
        {"idx": 5, "lyrics": "[verse] さくら", "audio_path": "gone.wav"},
        {"idx": 6, "phones": "[verse] s a k u r a", "audio_path": "a.wav"},
        {"idx": 7, "phones": "[verse] s a kw a", "audio_path": "a.wav"},
        {"idx": 8, "lyrics": "[verse] さくら", "audio_path": "a.wav", "prompt_wav": "gone.wav"},
        {"idx": 9, "lyrics": "[verse] さくら", "audio_path": "a.wav", "prompt_wav": "a.wav"},
        {"idx": 10, "lyrics": "[verse] さくら"},
        [1],
        {"idx": 12, "lyrics": 5, "audio_path": "a.wav"},
    ]
    text = "\n".join(line if isinstance(line, str) else json.dumps(line, ensure_ascii=False) for line in lines)
    (tmp_path / "songs.jsonl").write_text(text, encoding="utf-8")
    words = ["jsonl", tmp_path / "songs.jsonl", "--output-dir", tmp_path / "out", "--val-fraction", 0]
    assert prepare(*words) == 0
    found = {row.id: row for row in rows(tmp_path / "out")}
    assert set(found) == {"1", "6", "9"}
    assert found["1"].extra["prompt_wav"] == "../p.wav"
    assert found["1"].duration == 12
    assert found["6"].extra["symbols"].startswith("[verse] s a k u")
    assert found["9"].extra["prompt_wav"] == "prompts/9.wav"
    told = faults(tmp_path / "out").splitlines()[1:]
    assert sorted(int(line.split("\t")[1].rpartition(":")[2]) for line in told) == [2, 3, 4, 5, 7, 8, 10, 11, 12]


def test_songs_without_lyrics_may_be_written_down_by_a_machine_and_say_so(tmp_path, capsys):
    model = whispers.make(tmp_path / "whisper-toy")
    tone(tmp_path / "in/a.wav", 12)
    words = ["folder", tmp_path / "in", "--output-dir", tmp_path / "out", "--transcribe", model, "--device", "cpu"]
    assert prepare(*words) == 0
    (row,) = rows(tmp_path / "out")
    assert row.extra["lyrics_by"] == "whisper:whisper-toy"
    assert row.text.startswith("[")
    assert "lyrics written down by a machine (1)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["jacappella", "--no-download"], "--no-download without --download-dir"),
        (["folder"], "no SOURCE"),
        (["jacappella", "raw", "--clean-japanese", "--musicxml-type", "romaji"], "nothing would be left"),
        (["folder", "gone"], "no such file or folder"),
        (["jsonl", "raw"], "no list of songs found"),
        (["jacappella", "raw"], "SUBSET/SONG with lead_vocal.wav"),
        (["folder", "raw", "--transcribe", "./none"], "no such folder"),
    ],
)
def test_what_cannot_be_done_is_refused(tmp_path, capsys, monkeypatch, words, found):
    monkeypatch.chdir(tmp_path)
    tone(tmp_path / "raw/deep/a.wav", 1)
    assert prepare(*words, "--output-dir", tmp_path / "out") == 2
    assert found in capsys.readouterr().err


def test_manifests_that_are_there_stay(tmp_path, capsys):
    jacappella(tmp_path / "raw", {"jazz/a": "さくらさ"})
    words = ["jacappella", tmp_path / "raw", "--output-dir", tmp_path / "out"]
    assert prepare(*words) == 0
    assert prepare(*words) == 2
    assert "exists already" in capsys.readouterr().err
    assert prepare(*words, "--force") == 0


def test_the_forks_command_runs_line_by_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    jacappella(tmp_path / "data/jacappella_raw")
    words = """song prepare jacappella --output-dir data/jacappella_prepared_ja --download-dir data/jacappella_raw
        --audio-type lead_vocal --musicxml-type svs --prompt-sec 10 --clean-japanese --no-download"""
    assert cli.main(words.split()) == 0
    assert len(every(tmp_path / "data/jacappella_prepared_ja")) == 3


def test_preparing_needs_no_network_library(tmp_path):
    jacappella(tmp_path / "raw", {"jazz/a": "さくらさ"})
    words = ["song", "prepare", "jacappella", str(tmp_path / "raw"), "--output-dir", str(tmp_path / "out")]
    code = f"import sys, onsei.cli as c; assert c.main({words}) == 0; assert 'transformers' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
