"""Manifests: keys, paths, forms, index, errors."""

import json
import math
import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onsei.data import index
from onsei.data.manifest import Manifest, Row, write
from onsei.data.row import Phone, split_reference
from onsei.errors import DataError, RunError
from tests.data.toys import write_lines


def test_all_keys_are_read_and_others_kept(tmp_path):
    row = {
        "id": "a", "audio": "音声/一.wav", "duration": 1.5, "text": "こんにちは", "label": 3, "image": "i.jpg",
        "video": "v.mp4", "features": "f.npz#a", "speaker": "s", "phones": [["A", 0, 0.5], "B"], "offset": 0.25,
        "channel": 1, "lang": "ja", "fold": 2,
    }  # fmt: skip
    found = Manifest.open(write_lines(tmp_path / "m.jsonl", [row]))[0]
    assert found.audio == tmp_path / "音声" / "一.wav"
    assert found.features == f"{tmp_path / 'f.npz'}#a"
    assert found.phones == (Phone("A", 0.0, 0.5), Phone("B"))
    assert (found.text, found.label, found.channel, found.lang) == ("こんにちは", "3", 1, "ja")
    assert found.extra == {"fold": 2}
    assert found.segment == (0.25, 1.5)


def test_row_without_offset_is_the_whole_file():
    assert Row("a", duration=2.0).segment == (0.0, None)


def test_nemo_keys_are_accepted(tmp_path):
    row = {"audio_filepath": "a.wav", "duration": 2, "text": "x", "offset": 0.0, "command": "yes", "extra_key": None}
    found = Manifest.open(write_lines(tmp_path / "m.json", [row]))[0]
    assert (found.audio, found.label, found.segment) == (tmp_path / "a.wav", "yes", (0.0, 2.0))
    assert found.extra == {}


def test_two_keys_for_one_thing_are_refused(tmp_path):
    manifest = Manifest.open(write_lines(tmp_path / "m.jsonl", [{"audio": "a.wav", "audio_filepath": "b.wav"}]))
    with pytest.raises(DataError, match="'audio_filepath' says again"):
        manifest[0]


def test_original_csv_reads_its_transcript_files(tmp_path):
    (tmp_path / "a.txt").write_bytes("\ufeffHELLO あ\n".encode())
    (tmp_path / "m.csv").write_bytes(b'/abs/a.wav,a.txt\r\n"b, c.wav",a.txt')
    manifest = Manifest.open(tmp_path / "m.csv")
    assert [row.text for row in manifest] == ["HELLO あ", "HELLO あ"]
    assert manifest[1].audio == tmp_path / "b, c.wav"
    assert np.isnan(manifest.durations).all()


@pytest.mark.parametrize("line", ["a.wav,b.txt,c", "a.wav,", '"a.wav,b.txt', "a.wav,missing.txt"])
def test_bad_csv_line_is_named(tmp_path, line):
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "m.csv").write_text(f"a.wav,a.txt\n{line}\n")
    with pytest.raises(DataError, match=r"m\.csv:2"):
        Manifest.open(tmp_path / "m.csv")[1]


def test_made_ids_differ_for_equal_names_and_for_segments(tmp_path):
    rows = [{"audio": "x/1.wav"}, {"audio": "y/1.wav"}, {"audio": "y/1.wav", "offset": 1.0}, {"audio": "y\\1.wav"}]
    ids = [row.id for row in Manifest.open(write_lines(tmp_path / "m.jsonl", rows))]
    assert all(i.startswith("1-") for i in ids)
    assert len(set(ids)) == 3
    assert ids[1] == ids[3], "the same file by the other slash"


@pytest.mark.skipif(sys.platform == "win32", reason="there a backslash always parts folders")
def test_backslashes_part_folders_only_where_the_file_is_there(tmp_path):
    (tmp_path / "音").mkdir()
    (tmp_path / "音" / "a.wav").touch()
    (tmp_path / "odd\\name.wav").touch()
    rows = [{"audio": "音\\a.wav"}, {"audio": "odd\\name.wav"}, {"audio": "no\\a.wav"}]
    found = [row.audio for row in Manifest.open(write_lines(tmp_path / "m.jsonl", rows))]
    assert found == [tmp_path / "音" / "a.wav", tmp_path / "odd\\name.wav", tmp_path / "no\\a.wav"]


def test_byte_order_mark_blank_lines_and_missing_last_newline(tmp_path):
    (tmp_path / "m.jsonl").write_bytes(b'\xef\xbb\xbf\r\n{"id": "a", "duration": 1}\r\n\n  \n {"id": "b"}')
    manifest = Manifest.open(tmp_path / "m.jsonl")
    assert [row.id for row in manifest] == ["a", "b"]
    assert manifest.place(1).endswith(":5")
    assert manifest[-1].id == "b"
    with pytest.raises(IndexError):
        manifest[2]


@pytest.mark.parametrize(
    "bad",
    ['{"id": "a"', "[]", '"x"', '{"id": true}', '{"id": "a", "duration": "1"}', '{"id": "a", "duration": -1}',
     '{"id": "a", "duration": NaN}', '{"id": "a", "duration": 1e999}', '{"id": "a", "audio": 3}',
     '{"id": "a", "channel": 1.5}', '{"id": "a", "phones": [[1, 2, 3]]}', '{"id": "a", "audio": ""}',
     '{"id": "a", "audio": "x\\u0000"}', '{"text": "no id, no file"}', "[" * 100_000, '{"id": ""}',
     '{"id": "a", "duration": 1' + "0" * 400 + "}"],
)  # fmt: skip
def test_bad_line_is_named_and_others_still_read(tmp_path, bad):
    (tmp_path / "m.jsonl").write_text(f'{{"id": "first"}}\n\n{bad}\n{{"id": "last"}}\n')
    manifest = Manifest.open(tmp_path / "m.jsonl")
    with pytest.raises(DataError, match=r"m\.jsonl:3"):
        manifest[1]
    assert [manifest[0].id, manifest[2].id] == ["first", "last"]


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "no rows"), (b"\n \n", "no rows"), (b"\xff\xfe{\0", "UTF-16"), (b'{\n"id": 1\n}', "several lines"),
     (b"[1,\n2]", "expected JSONL"), (b"RIFF\0\0,\0", "expected JSONL"), (b"hello\n", "expected JSONL")],
)  # fmt: skip
def test_file_that_is_no_manifest_is_refused(tmp_path, content, message):
    (tmp_path / "m.jsonl").write_bytes(content)
    with pytest.raises(DataError, match=message):
        Manifest.open(tmp_path / "m.jsonl")


def test_missing_manifest_and_folder_are_refused(tmp_path):
    with pytest.raises(DataError, match="no such manifest"):
        Manifest.open(tmp_path / "m.jsonl")
    with pytest.raises(DataError):
        Manifest.open(tmp_path)


def test_durations_of_odd_lines_are_those_of_the_json(tmp_path):
    lines = [
        '{"id": "0", "duration": 1.25}',
        '{"id": "1", "extra": {"duration": 9}, "duration": 2}',
        '{"id": "2", "extra": {"duration": 9}}',
        '{"id": "3", "text": "say \\"duration\\": 5, ok", "duration" : 3e0 }',
        '{"id": "4", "text": "{brace", "duration": 4}',
        '{"id": "5"}',
        '{"id": "6", "duration": "7"}',
        '{"id": "7", "duration": 7',
        '{"duration":0.5,"id":"8"}',
    ]
    (tmp_path / "m.jsonl").write_text("\n".join(lines))
    found = Manifest.open(tmp_path / "m.jsonl").durations
    np.testing.assert_array_equal(found, np.float32([1.25, 2, np.nan, 3, 4, np.nan, np.nan, np.nan, 0.5]))


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.text(max_size=30),
            st.one_of(st.none(), st.floats(0, 1e4, width=32)),
            st.dictionaries(st.sampled_from(["duration", "x"]), st.integers(0, 9), max_size=2),
            st.sampled_from(["\n", "\r\n", "\n\n", "\n \t\n"]),
        ),
        min_size=1,
        max_size=20,
    ),
    st.integers(20, 300),
)
def test_index_finds_every_row_whatever_the_blocks(tmp_path_factory, rows, block):
    folder = tmp_path_factory.mktemp("index")
    text, expected = "", []
    for number, (words, duration, nested, end) in enumerate(rows):
        value = {"id": str(number), "text": words, "nested": nested, "duration": duration}
        text += json.dumps(value, ensure_ascii=number % 2 == 0) + end
        expected.append(math.nan if duration is None else duration)
    (folder / "m.jsonl").write_bytes(text.encode(errors="replace"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index, "_BLOCK", block)
        manifest = Manifest.open(folder / "m.jsonl")
    assert [row.id for row in manifest] == [str(n) for n in range(len(rows))]
    np.testing.assert_array_equal(manifest.durations, np.float32(expected))


def test_index_is_built_once_and_again_after_a_change(tmp_path, monkeypatch):
    path = write_lines(tmp_path / "m.jsonl", [{"id": "a"}])
    before = Manifest.open(path).fingerprint
    builds = []
    monkeypatch.setattr(index, "_build", lambda *args, build=index._build: (builds.append(1), build(*args)))
    assert Manifest.open(path).fingerprint == before
    assert builds == []
    write_lines(path, [{"id": "b"}])
    changed = Manifest.open(path)
    assert (len(builds), changed[0].id) == (1, "b")
    assert changed.fingerprint != before
    kept = [p.name for p in (tmp_path / ".onsei").iterdir() if p.name != ".gitignore"]
    assert len(kept) == 3, "the index of the old content is removed"


def test_damaged_index_is_built_again(tmp_path):
    path = write_lines(tmp_path / "m.jsonl", [{"id": str(n)} for n in range(9)])
    Manifest.open(path)
    (offsets,) = (tmp_path / ".onsei").glob("*.offsets.npy")
    offsets.write_bytes(offsets.read_bytes()[:-20])
    assert [row.id for row in Manifest.open(path)] == [str(n) for n in range(9)]


@pytest.mark.skipif(sys.platform == "win32", reason="folders have no such mark there")
def test_read_only_folder_keeps_its_index_in_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ONSEI_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "data"
    path = write_lines(folder / "m.jsonl", [{"id": "a"}])
    folder.chmod(0o555)
    try:
        assert Manifest.open(path)[0].id == "a"
        assert [p.name for p in folder.iterdir()] == ["m.jsonl"]
        assert len(list((tmp_path / "cache" / "manifests").iterdir())) == 3
    finally:
        folder.chmod(0o755)


def test_two_processes_may_build_at_once(tmp_path):
    path = write_lines(tmp_path / "m.jsonl", [{"id": str(n), "duration": n} for n in range(20_000)])
    code = (
        "import sys; from onsei.data.manifest import Manifest; m = Manifest.open(sys.argv[1]); print(len(m), m[9].id)"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, path], stdout=subprocess.PIPE) for _ in range(3)]
    assert [process.communicate()[0].split() for process in running] == [[b"20000", b"9"]] * 3


def test_pickle_holds_no_rows_and_refuses_another_content(tmp_path):
    path = write_lines(tmp_path / "音.jsonl", [{"id": str(n)} for n in range(5000)])
    manifest = Manifest.open(path)
    packed = pickle.dumps(manifest)
    assert len(packed) < 500
    assert pickle.loads(packed)[4999].id == "4999"
    write_lines(path, [{"id": "other"}])
    with pytest.raises(RunError, match="changed while it was in use"):
        pickle.loads(packed)
    with pytest.raises(RunError, match="changed while it was in use"):
        manifest[0]


def test_fingerprint_is_of_the_content_alone(tmp_path):
    one = write_lines(tmp_path / "a" / "m.jsonl", [{"id": "a"}])
    two = write_lines(tmp_path / "b" / "n.jsonl", [{"id": "a"}])
    assert Manifest.open(one).fingerprint == Manifest.open(two).fingerprint


def test_written_rows_read_back_equal_from_another_folder(tmp_path):
    row = Row(
        id="a", audio=tmp_path / "in" / "音 1.wav", duration=0.1, text="x\n\"'", features=f"{tmp_path / 'f.npz'}#k#2",
        phones=(Phone("A", 0.0, 0.1), Phone("B")), offset=0.0, extra={"fold": [1, None]},
    )  # fmt: skip
    write(tmp_path / "out" / "m.jsonl", (r for r in [row, Row("b", image=tmp_path / "out" / "p.jpg")]))
    text = (tmp_path / "out" / "m.jsonl").read_text(encoding="utf-8")
    assert '"../in/音 1.wav"' in text
    assert '"p.jpg"' in text
    first = Manifest.open(tmp_path / "out" / "m.jsonl")[0]
    assert first.audio.resolve() == row.audio
    assert (first.duration, first.text, first.phones, first.extra) == (0.1, row.text, row.phones, row.extra)
    assert first.segment == (0.0, 0.1)


@pytest.mark.skipif(sys.platform != "linux", reason="file names are bytes on Linux alone")
def test_file_name_that_is_not_utf8_survives(tmp_path):
    odd = tmp_path / b"a\xff.wav".decode("utf-8", "surrogateescape")
    write(tmp_path / "m.jsonl", [Row("a", audio=odd)])
    assert Manifest.open(tmp_path / "m.jsonl")[0].audio == odd


def test_failing_writer_leaves_the_old_manifest(tmp_path):
    path = write_lines(tmp_path / "m.jsonl", [{"id": "old"}])

    def rows():
        yield Row("new")
        raise DataError("a fault half way")

    with pytest.raises(DataError):
        write(path, rows())
    assert Manifest.open(path)[0].id == "old"


def test_references_may_hold_hashes():
    assert split_reference("a#b/f.npz#k#1") == ("a#b/f.npz", "k#1")
    assert split_reference("a#b.npy") == ("a#b.npy", None)


def test_the_json_manifest_of_2022_is_read(tmp_path):
    (tmp_path / "音").mkdir()
    (tmp_path / "音" / "a.txt").write_text("HELLO", encoding="utf-8")
    samples = [{"wav_path": f"wav/{n}.wav", "transcript_path": "a.txt"} for n in range(3)]
    samples[1]["duration"] = 2.5
    whole = {"root_path": str(tmp_path / "音"), "samples": samples}
    for name, text in (
        ("one.json", json.dumps(whole)),
        ("many.json", json.dumps(whole, indent=2)),
        ("marked.json", "\ufeff" + json.dumps(whole, ensure_ascii=False)),
        ("turned.json", json.dumps({"samples": samples, "root_path": "音", "name": "a]}"}, ensure_ascii=False)),
    ):
        (tmp_path / name).write_text(text, encoding="utf-8")
        manifest = pickle.loads(pickle.dumps(Manifest.open(tmp_path / name)))
        assert [row.audio for row in manifest] == [tmp_path / "音" / "wav" / f"{n}.wav" for n in range(3)], name
        assert {row.text for row in manifest} == {"HELLO"}
        assert (len({row.id for row in manifest}), manifest[1].duration) == (3, 2.5)
        np.testing.assert_array_equal(manifest.durations, np.float32([np.nan, 2.5, np.nan]))
        assert list(manifest.line_numbers(1)) == [2, 3]


@pytest.mark.parametrize(
    ("content", "message"),
    [('{"samples": []}', "no rows"), ('{"samples": [3]}', "list of objects"), ('{"samples": [{"a": 1}', "not whole"),
     ('{"root_path": 3, "samples": [{}]}', "expected"), ('{"root_path": "/a"}', "no rows"), ('{"samples":', "whole"),
     ('{"samples": [{} {}]}', "expected ,")],
)  # fmt: skip
def test_a_broken_manifest_of_2022_is_refused(tmp_path, content, message):
    (tmp_path / "m.json").write_text(content)
    with pytest.raises(DataError, match=message):
        Manifest.open(tmp_path / "m.json")


def test_a_sample_without_its_paths_is_named(tmp_path):
    (tmp_path / "m.json").write_text('{"samples": [{"wav_path": "a.wav"}]}')
    with pytest.raises(DataError, match=r"m\.json:1: .*transcript_path is missing"):
        Manifest.open(tmp_path / "m.json")[0]


def test_rows_whose_text_file_is_gone_can_be_passed_over(tmp_path):
    (tmp_path / "a.txt").write_text("x")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    (tmp_path / "m.csv").write_text("a.wav,a.txt\nb.wav,gone.txt\nc.wav,latin.txt\nd.wav,a.txt\n")
    manifest = Manifest.open(tmp_path / "m.csv")
    assert [row.audio.name for row in manifest.readable()] == ["a.wav", "d.wav"]
    (tmp_path / "m.csv").write_text("a.wav,a.txt\nb.wav,a.txt,c\n")
    with pytest.raises(DataError, match=r"m\.csv:2"):
        list(Manifest.open(tmp_path / "m.csv").readable())
