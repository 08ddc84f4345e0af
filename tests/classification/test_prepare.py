"""`prepare` of labeled sounds: corpora by name, folders and lists, splits, leaks, and labels that cannot be right."""

import json
import shutil
from collections import Counter

import numpy as np
import pytest
from huggingface_hub import constants

from onsei.audio import io
from onsei.data.corpora.gtzan import GENRES, filtered_lists
from onsei.data.manifest import Manifest
from tests.commands import assert_refused, command
from tests.data import labeled
from tests.data.file_server import serving
from tests.data.trees import pack, put
from tests.hub import dataset_server


@pytest.fixture
def hub(monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with dataset_server.serving() as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        template = server.url + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setenv("HF_TOKEN", "secret")
        yield server


def prepare(capsys, kind, *words):
    """The answer of ``onsei classification prepare``."""
    return command(capsys, "classification", "prepare", kind, *words)


def parts(folder):
    return {path.stem: list(Manifest.open(path)) for path in sorted(folder.glob("*.jsonl"))}


def sizes(folder):
    return {name: len(rows) for name, rows in parts(folder).items()}


def test_gtzan_in_the_courses_split(capsys, tmp_path):
    labeled.gtzan(tmp_path / "in")
    status, out, err = prepare(capsys, "gtzan", tmp_path / "in", "--output-dir", tmp_path / "out")
    assert status == 0, err
    assert sizes(tmp_path / "out") == {"train": 45, "test": 5}
    clips = [f"{genre}.{number:05d}" for genre in GENRES for number in range(5)]
    order = np.random.default_rng(42).permutation(50)
    assert [row.id for row in parts(tmp_path / "out")["test"]] == [clips[n] for n in order[:5]]
    row = parts(tmp_path / "out")["train"][0]
    assert (row.label, row.duration, row.audio.is_file()) == (row.id.partition(".")[0], 0.2, True)
    for word in ("jazz.00054.wav", "damaged", "optimistic", "--split filtered", "999"):
        assert word in out


def test_gtzan_in_the_filtered_split(capsys, tmp_path):
    labeled.gtzan(tmp_path / "in", each=12, genres=("blues", "jazz"))
    words = (tmp_path / "in" / "genres", "--output-dir", tmp_path / "out", "--split", "filtered")
    status, _, err = prepare(capsys, "gtzan", *words)
    assert status == 0, err
    lists = filtered_lists()
    for name, letter in (("train", "t"), ("val", "v"), ("test", "e")):
        wanted = [f"{genre}.{n:05d}" for genre in ("blues", "jazz") for n in range(12) if lists[genre][n] == letter]
        assert [row.id for row in parts(tmp_path / "out").get(name, [])] == wanted


def test_the_lists_of_gtzan_have_their_published_sizes():
    letters = "".join(filtered_lists()[genre] for genre in GENRES)
    assert {letter: letters.count(letter) for letter in "tve-"} == {"t": 443, "v": 197, "e": 290, "-": 70}
    assert len(letters) == 1000


def test_esc_keeps_its_folds_and_recordings(capsys, tmp_path):
    labeled.esc(tmp_path / "in")
    assert prepare(capsys, "esc50", tmp_path / "in", "--output-dir", tmp_path / "all")[0] == 0
    (rows,) = parts(tmp_path / "all").values()
    assert sizes(tmp_path / "all") == {"all": 120}
    assert (rows[0].label, rows[0].extra) == ("class_00", {"fold": 1, "recording": "10000"})
    words = ("--output-dir", tmp_path / "held", "--test-fold", 5, "--val-fold", 4)
    status, out, _ = prepare(capsys, "esc10", tmp_path / "in", *words)
    assert status == 0
    assert sizes(tmp_path / "held") == {"train": 60, "val": 20, "test": 20}
    assert {row.extra["fold"] for row in parts(tmp_path / "held")["test"]} == {5}
    assert "leak" not in out


def test_speech_commands_by_the_publishers_lists(capsys, tmp_path):
    labeled.speech_commands(tmp_path / "in")
    status, out, err = prepare(capsys, "speechcommands", tmp_path / "in", "--output-dir", tmp_path / "out")
    assert status == 0, err
    assert sizes(tmp_path / "out") == {"train": 40, "val": 5, "test": 5}
    assert parts(tmp_path / "out")["test"][0].speaker == "00000009"
    assert "leak" not in out


def test_speech_commands_in_twelve_classes(capsys, tmp_path):
    labeled.speech_commands(tmp_path / "in")
    words = (tmp_path / "in", "--output-dir", tmp_path / "out", "--classes", 12)
    status, _, err = prepare(capsys, "speechcommands", *words)
    assert status == 0, err
    found = parts(tmp_path / "out")
    assert {name: len(rows) for name, rows in found.items()} == {"train": 30, "val": 5, "test": 5}
    by_label = {label: [row for row in found["train"] if row.label == label] for label in ("_unknown_", "_silence_")}
    assert {label: len(rows) for label, rows in by_label.items()} == {"_unknown_": 3, "_silence_": 3}
    silence = by_label["_silence_"][0]
    assert len(io.load(silence.audio, offset=silence.offset, duration=silence.duration)[0]) == labeled.RATE
    spans = {name: [row.offset for row in rows if row.label == "_silence_"] for name, rows in found.items()}
    assert max(spans["train"]) + 1 <= 12 <= min(spans["val"])
    assert max(spans["val"]) + 1 <= 13.5 <= min(spans["test"])


def test_a_folder_is_split_class_by_class_the_same_each_time(capsys, tmp_path):
    labeled.classes(tmp_path / "in", {"犬": 20, "cat": 10, "rare": 3})
    words = ("--val-fraction", "0.2", "--test-fraction", "0.1")
    for name in ("one", "two"):
        assert prepare(capsys, "folder", tmp_path / "in", "--output-dir", tmp_path / name, *words)[0] == 0
    found = parts(tmp_path / "one")
    assert Counter(row.label for row in found["val"]) == {"犬": 4, "cat": 2, "rare": 1}
    assert Counter(row.label for row in found["test"]) == {"犬": 2, "cat": 1, "rare": 1}
    assert [r.id for r in found["val"]] == [r.id for r in parts(tmp_path / "two")["val"]]
    assert_refused(prepare(capsys, "folder", tmp_path / "in", "--output-dir", tmp_path / "one"), "--force")


def test_a_folder_may_have_its_parts_on_top(capsys, tmp_path):
    for part, seed in (("train", 1), ("Validation", 2), ("test", 3)):
        for label in ("a", "b"):
            labeled.sound(tmp_path / "in" / part / label / f"{label}.wav", seed * 10 + ord(label))
    assert prepare(capsys, "folder", tmp_path / "in", "--output-dir", tmp_path / "out")[0] == 0
    assert sizes(tmp_path / "out") == {"train": 2, "val": 2, "test": 2}


def test_clips_of_one_recording_stay_together(capsys, tmp_path):
    for recording in range(12):
        for take in range(3):
            name = f"r{recording}_{take}.wav"
            labeled.sound(tmp_path / "in" / "ab"[recording % 2] / name, 10 * recording + take)
    words = ("--recording", r"(r\d+)_\d+\.wav$", "--val-fraction", "0.25")
    status, out, _ = prepare(capsys, "folder", tmp_path / "in", "--output-dir", tmp_path / "out", *words)
    assert status == 0
    assert "by whole values of 'recording'" in out
    homes = [{row.extra["recording"] for row in rows} for rows in parts(tmp_path / "out").values()]
    assert len(homes) == 2
    assert not homes[0] & homes[1]
    assert 6 <= sizes(tmp_path / "out")["val"] <= 12, "a quarter of 36, as near as recordings of three clips allow"


def test_a_list_with_columns_of_many_names(capsys, tmp_path):
    for number in range(6):
        labeled.sound(tmp_path / "wav" / f"a,{number}.wav", number)
    lines = ["filename,category,split,fold,speaker,mood"]
    lines += [f'"wav/a,{n}.wav",{"xy"[n % 2]},{("train", "valid", "test")[n // 2]},{n},s{n},glad' for n in range(6)]
    put(tmp_path / "list.csv", "\ufeff" + "\r\n".join(lines))
    status, _, err = prepare(capsys, "csv", tmp_path / "list.csv", "--output-dir", tmp_path / "out")
    assert status == 0, err
    assert sizes(tmp_path / "out") == {"train": 2, "val": 2, "test": 2}
    row = parts(tmp_path / "out")["val"][0]
    assert (row.label, row.speaker, row.extra) == ("x", "s2", {"fold": 2, "mood": "glad"})


def test_what_leaks_is_told(capsys, tmp_path):
    lines = ["path,label,split,speaker,artist"]
    for number in range(8):
        labeled.sound(tmp_path / f"{number}.wav", number)
        lines.append(f"{number}.wav,{'xy'[number % 2]},{'train' if number < 4 else 'test'},s{number % 4},a{number}")
    shutil.copy(tmp_path / "0.wav", tmp_path / "4.wav")
    samples, rate = io.load(tmp_path / "1.wav")
    io.save(tmp_path / "5.flac", samples, rate)
    put(tmp_path / "list.csv", "\n".join(lines).replace("5.wav", "5.flac"))
    status, out, _ = prepare(capsys, "csv", tmp_path / "list.csv", "--output-dir", tmp_path / "out")
    assert status == 0
    assert "4 speakers of train in test too (4 rows of test)" in out
    assert "2 sounds of train in test too" in out, "a copy in another format is the same sound"
    assert "artist" not in out


@pytest.mark.parametrize(
    ("counts", "words"),
    [({"Rock": 2, "rock": 2, "pop": 2}, ("'Rock'", "'rock'", "case")), ({"only": 4}, ("one class only", "'only'"))],
)
def test_labels_that_cannot_be_right_are_refused(capsys, tmp_path, counts, words):
    labeled.classes(tmp_path / "in", counts)
    assert_refused(prepare(capsys, "folder", tmp_path / "in", "--output-dir", tmp_path / "out"), *words)
    assert not list((tmp_path / "out").glob("*")), "nothing is left behind"


def test_a_class_with_one_clip_is_told_and_trained_on(capsys, tmp_path):
    labeled.classes(tmp_path / "in", {"many": 10, "lone": 1})
    status, out, _ = prepare(capsys, "folder", tmp_path / "in", "--output-dir", tmp_path / "out")
    assert status == 0
    assert "one clip" in out
    assert "'lone'" in out
    assert "lone" in {row.label for row in parts(tmp_path / "out")["train"]}


def test_bad_sounds_are_left_out_with_a_word(capsys, tmp_path):
    folder = labeled.classes(tmp_path / "in", {"a": 6, "b": 6})
    put(folder / "a" / "letter.wav", "this is no sound " * 50)
    put(folder / "a" / "empty.wav", b"")
    io.save(folder / "a" / "silent.wav", np.zeros(8000, np.float32), 8000)
    labeled.sound(folder / "a" / "blink.wav", 77, seconds=0.02)
    labeled.sound(folder / "b" / "short.wav", 78, seconds=0.1)
    long = np.zeros((1, 800 * 8000), np.int16)
    header_of_two_hours(folder / "b" / "long.wav", long.shape[1])
    labeled.sound(folder / "stray.wav", 79)
    status, out, _ = prepare(capsys, "folder", folder, "--output-dir", tmp_path / "out")
    assert status == 0
    for word in ("letter.wav", "empty.wav", "silent.wav: silent", "blink.wav: lasts 0.020 s", "long.wav: lasts 800 s"):
        assert word in out
    assert "stray.wav: lies beside the classes" in out
    rows = [row for part in parts(tmp_path / "out").values() for row in part]
    assert len(rows) == 13
    assert "short" in {row.id for row in rows}
    kinds = [line.split("\t")[0] for line in (tmp_path / "out" / "faults.tsv").read_text().splitlines()[1:]]
    assert sorted(kinds) == ["audio", "duration", "duration", "empty", "label", "silent"]
    kept = prepare(capsys, "folder", folder, "--output-dir", tmp_path / "kept", "--keep-silent", "--max-duration", 900)
    assert kept[0] == 0
    assert sum(sizes(tmp_path / "kept").values()) == 15


def header_of_two_hours(path, frames):
    """A wav file with ``frames`` samples that takes hardly any room: a hole on disk."""
    head = b"RIFF" + (36 + 2 * frames).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    form = ((1, 2), (1, 2), (8000, 4), (16000, 4), (2, 2), (16, 2))
    head += b"".join(n.to_bytes(size, "little") for n, size in form) + b"data" + (2 * frames).to_bytes(4, "little")
    with path.open("wb") as file:
        file.write(head)
        file.truncate(len(head) + 2 * frames)


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("a.wav,x\n", "path and label"),
        ("path,label,label\na.wav,x,y\n", "label twice"),
        ("", "path and label"),
        ("path,label,split\na.wav,x,train\nb.wav,y,\n", "say nothing about their part"),
    ],
)
def test_lists_that_cannot_be_right_are_refused(capsys, tmp_path, content, word):
    for seed, name in enumerate("ab"):
        labeled.sound(tmp_path / f"{name}.wav", seed)
    put(tmp_path / "list.csv", content)
    assert_refused(prepare(capsys, "csv", tmp_path / "list.csv", "--output-dir", tmp_path / "out"), word)


def test_bad_lines_of_a_list_are_told_and_passed_over(capsys, tmp_path):
    lines = ["path,label,fold,split"]
    for number in range(4):
        labeled.sound(tmp_path / f"{number}.wav", number)
        lines.append(f"{number}.wav,{'xy'[number % 2]},1,train")
    lines += ["gone.wav,x,1,train", "0.wav,x", ",x,1,train", "1.wav,,1,train", "2.wav,x,one,train", "3.wav,y,1,later"]
    put(tmp_path / "list.csv", "\n".join(lines))
    status, out, _ = prepare(capsys, "csv", tmp_path / "list.csv", "--output-dir", tmp_path / "out")
    assert status == 0
    assert sizes(tmp_path / "out") == {"train": 4}
    for word in ("gone.wav", "expected 4 cells", "names no sound", "has no label", "'one'", "'later'"):
        assert word in out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("folder", "--split", "filtered"), "--split"),
        (("gtzan", "--classes", "12"), "--classes"),
        (("esc50", "--test-fold", "6"), "1 to 5"),
        (("esc50", "--test-fold", "2", "--val-fold", "2"), "different folds"),
        (("folder", "--val-fraction", "0.6", "--test-fraction", "0.5"), "together 1.1"),
        (("folder", "--recording", "(("), "regular expression"),
        (("folder", "--recording", "abc"), "group"),
        (("folder", "--group-by", "speaker"), "--group-by speaker"),
    ],
)
def test_options_that_say_nothing_for_a_corpus_are_refused(capsys, tmp_path, words, told):
    labeled.classes(tmp_path / "in", {"a": 3, "b": 3})
    kind, *flags = words
    assert_refused(prepare(capsys, kind, tmp_path / "in", "--output-dir", tmp_path / "out", *flags), told)


def test_an_archive_is_unpacked_and_a_missing_source_is_named(capsys, tmp_path):
    archive = pack(labeled.classes(tmp_path / "in", {"a": 4, "b": 4}), tmp_path / "mine.tar.gz")
    assert prepare(capsys, "folder", archive, "--output-dir", tmp_path / "out")[0] == 0
    assert sum(sizes(tmp_path / "out").values()) == 8
    assert_refused(prepare(capsys, "folder", tmp_path / "gone", "--output-dir", tmp_path / "no"), "gone")
    assert_refused(prepare(capsys, "esc10", tmp_path / "in", "--output-dir", tmp_path / "no"), "meta/esc50.csv")


def test_an_archive_comes_from_an_address(capsys, tmp_path):
    archive = pack(labeled.esc(tmp_path / "in", classes=10), tmp_path / "esc.tar.gz")
    with serving({"/esc.tar.gz": archive.read_bytes()}) as server:
        words = ("--url", f"{server.url}/esc.tar.gz", "--download-dir", tmp_path / "down")
        status, _, err = prepare(capsys, "esc10", "--output-dir", tmp_path / "out", *words)
    assert status == 0, err
    assert sizes(tmp_path / "out") == {"all": 100}


def test_a_hub_dataset_is_its_archive_checked_and_without_its_code(capsys, tmp_path, hub):
    archive = pack(labeled.gtzan(tmp_path / "in", each=2) / "genres", tmp_path / "genres.tar.gz")
    hub.put("me/songs", {"data/genres.tar.gz": archive.read_bytes(), "songs.py": b"import os", "README.md": b"card"})
    words = ("--output-dir", tmp_path / "out", "--download-dir", tmp_path / "down")
    status, _, err = prepare(capsys, "gtzan", "me/songs", *words)
    assert status == 0, err
    assert sum(sizes(tmp_path / "out").values()) == 20
    assert not [path for path in hub.asked if path.endswith(".py")]
    assert {token for path, token in hub.tokens if "datasets" in path} == {"Bearer secret"}
    assert [path.name for path in (tmp_path / "down").iterdir()] == ["genres.tar.gz"]


def test_a_hub_dataset_of_loose_sounds_becomes_a_folder(capsys, tmp_path, hub):
    files = {}
    for label in "ab":
        for number in range(3):
            path = labeled.sound(tmp_path / "in" / label / f"{number}.wav", ord(label) + number * 7)
            files[f"{label}/{number}.wav"] = path.read_bytes()
    hub.put("me/sounds", {**files, "load.py": b"x", "all.parquet": b"PAR1"})
    words = ("--output-dir", tmp_path / "out")
    assert prepare(capsys, "folder", "me/sounds", *words)[0] == 0
    assert sum(sizes(tmp_path / "out").values()) == 6
    hub.put("me/tables", {"train.parquet": b"PAR1", "load.py": b"x"})
    assert_refused(prepare(capsys, "folder", "me/tables", *words, "--force"), "me/tables", ".parquet")
    assert_refused(prepare(capsys, "folder", "me/gone", *words, "--force"), "me/gone")
    hub.put("me/bad", {"../../out.tar.gz": b"x"})
    assert_refused(prepare(capsys, "folder", "me/bad", *words, "--force"), "do not trust")


def test_manifests_move_with_their_corpus(capsys, tmp_path):
    labeled.classes(tmp_path / "home" / "in", {"a": 3, "b": 3})
    assert prepare(capsys, "folder", tmp_path / "home" / "in", "--output-dir", tmp_path / "home" / "out")[0] == 0
    moved = shutil.move(tmp_path / "home", tmp_path / "elsewhere")
    lines = (moved / "out" / "train.jsonl").read_text(encoding="utf-8").splitlines()
    assert all(json.loads(line)["audio"].startswith("../in/") for line in lines)
