"""Checking and counting: every kind of fault is found, none is made up."""

import numpy as np
import pytest

from onsei.audio import io
from onsei.data import check as module
from onsei.data.check import check
from onsei.data.durations import known_durations
from onsei.data.manifest import Manifest
from onsei.data.stats import stats
from onsei.errors import DataError
from tests.data.toys import write_lines, write_wav


def found(path, **options):
    return {(fault.line, fault.kind) for fault in check(Manifest.open(path), **options).faults}


def test_sound_manifest_has_no_faults(tmp_path):
    write_wav(tmp_path / "音声" / "a.wav", 2.0, channels=2)
    rows = [
        {"id": "a", "audio": "音声/a.wav", "duration": 2.0, "text": "x"},
        {"id": "b", "audio": "音声/a.wav", "offset": 0.5, "duration": 1.5, "channel": 1},
        {"id": "c", "audio": "音声/a.wav", "offset": 0.0, "duration": 1.0},
    ]
    checked = check(Manifest.open(write_lines(tmp_path / "m.jsonl", rows)), decode=True)
    assert (checked.rows, checked.files, checked.faults, checked.warnings) == (3, 1, (), ())


def test_all_faults_are_told_at_once_with_their_lines(tmp_path):
    wav = write_wav(tmp_path / "good.wav")
    (tmp_path / "empty.wav").touch()
    (tmp_path / "cut.wav").write_bytes(wav.read_bytes()[:4000])
    (tmp_path / "zero.wav").write_bytes(write_wav(tmp_path / "z.wav", 0.0).read_bytes())
    (tmp_path / "text.wav").write_text("not sound " * 50)
    np.save(tmp_path / "f.npy", np.zeros(3))
    rows = [
        {"id": "fine", "audio": "good.wav", "duration": 1.0, "text": "x"},
        {"id": "gone", "audio": "gone.wav"},
        {"id": "empty", "audio": "empty.wav"},
        {"id": "cut", "audio": "cut.wav", "duration": 1.0},
        {"id": "zero", "audio": "zero.wav"},
        {"id": "text", "audio": "text.wav"},
        {"id": "long", "audio": "good.wav", "duration": 2.0},
        {"id": "short", "audio": "good.wav", "duration": 0.5},
        {"id": "behind", "audio": "good.wav", "offset": 1.5},
        {"id": "channel", "audio": "good.wav", "channel": 1},
        {"id": "silent", "audio": "good.wav", "text": " "},
        {"id": "fine", "audio": "good.wav"},
        {"id": "typed", "audio": 3},
        {"id": "stored", "features": "f.npy", "duration": 1.0},
        {"id": "picture", "image": "gone.jpg"},
        {"id": "nothing"},
        {"id": "none", "audio": "good.wav", "duration": 0},
    ]
    path = write_lines(tmp_path / "m.jsonl", rows)
    path.write_text(path.read_text() + "\n{oops\n")
    assert found(path) >= {
        (2, "missing"), (3, "empty"), (4, "audio"), (5, "audio"), (6, "audio"), (7, "duration"), (8, "duration"),
        (9, "duration"), (10, "audio"), (11, "transcript"), (12, "duplicate"), (13, "line"), (14, "features"),
        (15, "missing"), (16, "missing"), (17, "duration"), (19, "line"),
    }  # fmt: skip
    assert {line for line, _ in found(path)} == {*range(2, 18), 19}


def test_each_fault_names_its_place(tmp_path):
    path = write_lines(tmp_path / "m.jsonl", [{"id": "a", "audio": "gone.wav"}, {"id": "a", "image": "p"}])
    path.write_text(path.read_text() + "[1]\n")
    messages = {fault.kind: fault.message for fault in check(Manifest.open(path)).faults}
    assert "gone.wav" in messages["missing"] or "p: no such file" in messages["missing"]
    assert "stands in line 1 already" in messages["duplicate"]
    assert "m.jsonl:3" in messages["line"]


def test_nan_is_found_by_decoding_alone(tmp_path):
    samples = np.zeros(8000, dtype=np.float32)
    io.save(tmp_path / "a.wav", samples, 8000, coding="FLOAT")
    data = bytearray((tmp_path / "a.wav").read_bytes())
    data[-4:] = np.float32(np.nan).tobytes()
    (tmp_path / "a.wav").write_bytes(data)
    path = write_lines(tmp_path / "m.jsonl", [{"id": "a", "audio": "a.wav", "duration": 1.0}])
    assert found(path) == set()
    assert found(path, decode=True) == {(1, "audio")}


def test_mixed_rates_and_channels_are_warnings(tmp_path):
    write_wav(tmp_path / "a.wav", rate=8000)
    write_wav(tmp_path / "b.wav", rate=16000, channels=2)
    rows = [{"id": n, "audio": f"{n}.wav"} for n in "ab"]
    manifest = Manifest.open(write_lines(tmp_path / "m.jsonl", rows))
    checked = check(manifest)
    assert checked.faults == ()
    assert [warning.partition(" ")[0] for warning in checked.warnings] == ["mixed", "mixed", "2"]
    counted = stats(manifest)
    assert "8000 Hz (1 files)" in counted.warnings[0]
    assert dict(counted.channels) == {1: 1, 2: 1}


def test_files_are_opened_once_however_many_rows_and_chunks(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_CHUNK", 3)
    write_wav(tmp_path / "a.wav", 1.0)
    opened = []
    monkeypatch.setattr(io, "info", lambda path, info=io.info: (opened.append(path), info(path))[1])
    rows = [{"id": str(n), "audio": "a.wav", "offset": n / 10, "duration": 0.1} for n in range(10)]
    checked = check(Manifest.open(write_lines(tmp_path / "m.jsonl", rows)))
    assert (checked.faults, len(opened), checked.files) == ((), 1, 1)


def test_duplicates_far_apart_are_found(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_CHUNK", 2)
    write_wav(tmp_path / "a.wav", 1.0)
    rows = [{"id": str(n % 7), "audio": "a.wav", "duration": 1} for n in range(9)]
    assert found(write_lines(tmp_path / "m.jsonl", rows)) == {(8, "duplicate"), (9, "duplicate")}


def test_unknown_durations_come_from_headers(tmp_path):
    write_wav(tmp_path / "a.wav", 1.5)
    rows = [
        {"id": "a", "audio": "a.wav"},
        {"id": "b", "audio": "a.wav", "duration": 9},
        {"audio": "a.wav", "offset": 1.0},
    ]
    manifest = Manifest.open(write_lines(tmp_path / "m.jsonl", rows))
    np.testing.assert_allclose(known_durations(manifest), [1.5, 9, 0.5])
    assert np.isnan(manifest.durations[0]), "the index stays as it was"


def test_known_durations_open_no_file(tmp_path):
    manifest = Manifest.open(write_lines(tmp_path / "m.jsonl", [{"id": "a", "audio": "gone.wav", "duration": 2}]))
    assert known_durations(manifest) is manifest.durations


@pytest.mark.parametrize("row", [{"id": "a", "audio": "gone.wav"}, {"id": "a", "features": "f.npy"}])
def test_duration_that_nothing_tells_is_refused_with_the_mend(tmp_path, row):
    manifest = Manifest.open(write_lines(tmp_path / "m.jsonl", [row]))
    with pytest.raises(DataError, match=r"1 rows have no duration(.|\n)*onsei data check"):
        known_durations(manifest)


def test_stats_count(tmp_path):
    write_wav(tmp_path / "a.wav", 1.0)
    rows = [
        {"id": "1", "audio": "a.wav", "duration": 1, "text": "ab ab", "speaker": "x", "fold": 1},
        {"id": "2", "audio": "a.wav", "text": "b", "speaker": "y", "label": "l"},
        {"id": "3", "duration": 3.0},
        {"id": 1.5},
    ]
    counted = stats(Manifest.open(write_lines(tmp_path / "m.jsonl", rows)))
    assert (counted.rows, counted.seconds, counted.shortest, counted.longest) == (4, 5.0, 1.0, 3.0)
    assert counted.mean == pytest.approx(5 / 3)
    assert (counted.unknown_durations, counted.with_text, counted.words) == (1, 2, 3)
    assert counted.characters == {"a": 2, "b": 3, " ": 1}
    assert (dict(counted.speakers), dict(counted.extra)) == ({"x": 1, "y": 1}, {"fold": 1})
    assert sum(rows for *_, rows in counted.histogram) == 3
    assert "1 lines cannot be read" in counted.warnings[0]
