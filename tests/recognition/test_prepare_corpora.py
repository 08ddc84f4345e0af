"""`prepare` on corpora by name: from a folder, an archive, archives in a folder, or a server, to manifests."""

import json
import shutil

import pytest

from onsei.data.corpora import an4, librispeech, voxforge
from onsei.data.manifest import Manifest
from tests.commands import assert_refused
from tests.data import trees
from tests.data.file_server import serving
from tests.recognition.corpus import command

TREES = {
    "an4": trees.an4,
    "librispeech": trees.librispeech,
    "tedlium": trees.tedlium,
    "voxforge": trees.voxforge,
    "commonvoice": trees.common_voice,
}
PARTS = {
    "an4": {"train": 6, "val": 3, "test": 2},
    "librispeech": {"train": 4, "val": 8, "test-clean": 4, "test-other": 4},
    "tedlium": {"train": 2, "val": 2, "test": 2},
    "voxforge": {"train": 8, "val": 1},
    "commonvoice": {"train": 4, "val": 4, "test": 4},
}


def prepare(capsys, kind, *words):
    return command(capsys, "prepare", kind, *words)


def parts(folder):
    return {path.stem: list(Manifest.open(path)) for path in sorted(folder.glob("*.jsonl"))}


def faults(folder):
    return [line.split("\t") for line in (folder / "faults.tsv").read_text(encoding="utf-8").splitlines()[1:]]


@pytest.mark.parametrize("kind", TREES)
def test_every_corpus_becomes_manifests_without_common_speakers(capsys, tmp_path, kind):
    TREES[kind](tmp_path / "in")
    answer = prepare(capsys, kind, tmp_path / "in", "--output-dir", tmp_path / "out")
    assert answer.status == 0, answer.err
    found = parts(tmp_path / "out")
    assert {name: len(rows) for name, rows in found.items()} == PARTS[kind]
    rows = [row for part in found.values() for row in part]
    assert all(row.audio.is_file() and row.duration and row.text for row in rows)
    assert len({row.id for row in rows}) == len(rows)
    if kind != "tedlium":
        owners = [{row.speaker for row in part} for part in found.values()]
        assert len(set.union(*owners)) == sum(map(len, owners))
    moved = shutil.move(tmp_path / "out", tmp_path / "elsewhere")
    assert all("../in" in line or '"wav/' in line for line in (moved / "train.jsonl").read_text().splitlines())


@pytest.mark.parametrize("kind", ["an4", "tedlium", "commonvoice"])
def test_an_archive_is_unpacked_into_the_output_folder_and_stays(capsys, tmp_path, kind):
    archive = trees.pack(TREES[kind](tmp_path / "in"), tmp_path / "corpus.tar.gz")
    shutil.rmtree(tmp_path / "in")
    words = ("--tar-path", archive, "--target-dir", tmp_path / "out", "--no-keep-archive")
    answer = prepare(capsys, kind, *words)
    assert answer.status == 0, answer.err
    assert {name: len(rows) for name, rows in parts(tmp_path / "out").items()} == PARTS[kind]
    assert archive.is_file(), "what the user brought stays"
    before = (tmp_path / "out" / "train.jsonl").read_bytes()
    assert_refused(prepare(capsys, kind, *words), "train.jsonl", "--force")
    assert prepare(capsys, kind, *words, "--force").status == 0
    assert (tmp_path / "out" / "train.jsonl").read_bytes() == before
    assert not list((tmp_path / "out").glob(".onsei-staging"))


def test_an_archive_cut_short_is_one_message(capsys, tmp_path):
    archive = trees.pack(trees.an4(tmp_path / "in"), tmp_path / "a.tgz")
    archive.write_bytes(archive.read_bytes()[:-200])
    assert_refused(prepare(capsys, "an4", archive, "--output-dir", tmp_path / "out"), "a.tgz", "cut short")


@pytest.fixture
def sessions(tmp_path):
    """Archives of VoxForge, one of them cut short, one hostile in name alone."""
    top = trees.voxforge(tmp_path / "in")
    packed = [trees.pack(path, tmp_path / "tgz" / f"{path.name}.tgz") for path in sorted(top.iterdir())]
    packed[1].write_bytes(packed[1].read_bytes()[:100])
    shutil.rmtree(tmp_path / "in")
    return tmp_path / "tgz"


def test_a_folder_of_archives_goes_on_without_the_broken_one(capsys, tmp_path, sessions):
    answer = prepare(capsys, "voxforge", sessions, "--output-dir", tmp_path / "out", "--val-fraction", "0")
    assert answer.status == 0, answer.err
    assert {name: len(rows) for name, rows in parts(tmp_path / "out").items()} == {"train": 7}
    assert [fault[0] for fault in faults(tmp_path / "out")].count("archive") == 1
    assert "Aaron-20080318-kdl.tgz" in answer.out


def served(folder, prefix=""):
    return {f"{prefix}/{path.name}": path.read_bytes() for path in folder.iterdir()}


def test_voxforge_is_downloaded_session_by_session(capsys, tmp_path, sessions, monkeypatch):
    names = [path.name for path in sorted(sessions.iterdir()) if path.name.isascii()]
    page = "".join(f'<a href="{name}">' for name in [*names, "gone-20000101-x.tgz"]).encode()
    with serving({**served(sessions), "/": page}) as server:
        monkeypatch.setattr(voxforge, "ADDRESS", f"{server.url}/")
        words = ("--output-dir", tmp_path / "out", "--download-dir", tmp_path / "down", "--no-keep-archive")
        answer = prepare(capsys, "voxforge", *words)
        assert answer.status == 0, answer.err
        kinds = sorted(fault[0] for fault in faults(tmp_path / "out"))
        assert kinds == ["archive", "archive"]
        asked = len(server.asked)
        assert prepare(capsys, "voxforge", *words, "--force").status == 0
        assert len(server.asked) == asked + 3, "the page, the one that is gone, the one that is broken"


def test_librispeech_is_downloaded_checked_and_resumed(capsys, tmp_path, monkeypatch):
    import hashlib

    root = trees.librispeech(tmp_path / "in")
    packed = {}
    for subset in ("dev-clean", "train-clean-100"):
        folder = tmp_path / "one" / subset / "LibriSpeech"
        shutil.copytree(root / subset, folder / subset)
        archive = trees.pack(folder, tmp_path / "tars" / f"{subset}.tar.gz")
        packed[subset] = archive.read_bytes()
        monkeypatch.setitem(librispeech._DIGESTS, subset, hashlib.md5(packed[subset]).hexdigest())
    with serving(served(tmp_path / "tars", "/12")) as server:
        words = ("--output-dir", tmp_path / "out", "--download-dir", tmp_path / "down", "--url", f"{server.url}/12")
        words += ("--files-to-use", "train-clean-100.tar.gz,dev-clean.tar.gz")
        server.files["/12/dev-clean.tar.gz"] += b"x"
        assert_refused(prepare(capsys, "librispeech", *words), "dev-clean.tar.gz", "expected")
        server.files["/12/dev-clean.tar.gz"] = packed["dev-clean"]
        answer = prepare(capsys, "librispeech", *words)
        assert answer.status == 0, answer.err
        assert [path.partition(" ")[0] for path in server.asked].count("/12/train-clean-100.tar.gz") == 1
    assert {name: len(rows) for name, rows in parts(tmp_path / "out").items()} == {"train": 4, "val": 4}
    assert sorted(path.name for path in (tmp_path / "down").iterdir()) == ["dev-clean.tar.gz", "train-clean-100.tar.gz"]
    unknown = ("--output-dir", tmp_path / "other", "--subsets", "train-clean-1")
    assert_refused(prepare(capsys, "librispeech", *unknown), "train-clean-1", "train-clean-100")


def test_a_corpus_that_is_gone_from_its_server_is_one_message(capsys, tmp_path, monkeypatch):
    with serving({}) as server:
        monkeypatch.setattr(an4, "_ADDRESS", f"{server.url}/an4.tar.gz")
        answer = prepare(capsys, "an4", "--output-dir", tmp_path / "out", "--download-dir", tmp_path / "down")
    assert_refused(answer, "answers 404", "--url")
    answer = prepare(capsys, "commonvoice", "--output-dir", tmp_path / "out")
    assert_refused(answer, "terms", "commonvoice.mozilla.org")
    assert_refused(prepare(capsys, "folder", "--output-dir", tmp_path / "out"), "no SOURCE")


@pytest.mark.parametrize("kind", [*TREES, "csv", "folder"])
def test_what_was_looked_for_is_named_where_it_is_not(capsys, tmp_path, kind):
    (tmp_path / "in" / "letters").mkdir(parents=True)
    (tmp_path / "in" / "letters" / "a.doc").write_text("a")
    for source in ("in", "in/letters/a.doc", "gone"):
        answer = prepare(capsys, kind, tmp_path / source, "--output-dir", tmp_path / "out")
        assert_refused(answer, tmp_path / source)
    assert not list((tmp_path / "out").glob("*.jsonl")) if (tmp_path / "out").exists() else True


FAULTY = {
    "an4": trees.an4_with_faults,
    "librispeech": trees.librispeech_with_faults,
    "tedlium": trees.tedlium_with_faults,
    "voxforge": trees.voxforge_with_faults,
    "commonvoice": trees.common_voice_with_faults,
}


@pytest.mark.parametrize("kind", FAULTY)
def test_faults_are_counted_listed_and_passed_over(capsys, tmp_path, kind):
    FAULTY[kind](tmp_path / "in")
    answer = prepare(capsys, kind, tmp_path / "in", "--output-dir", tmp_path / "out")
    assert answer.status == 0, answer.err
    listed = faults(tmp_path / "out")
    assert len(listed) >= 8
    assert all(len(fault) == 3 and all(fault) for fault in listed)
    assert f"left out: {len(listed)} unreadable (" in answer.out
    assert answer.out.count("left out: ") <= 21
    assert not answer.err.strip("\n")
    assert "\n\n" not in answer.out + answer.err


def test_nothing_usable_is_an_error_with_the_reasons(capsys, tmp_path):
    root = trees.an4(tmp_path / "in")
    shutil.rmtree(root / "wav")
    answer = prepare(capsys, "an4", root, "--output-dir", tmp_path / "out")
    assert_refused(answer, "11 faults", "an4_train.fileids", "faults.tsv")
    assert not list((tmp_path / "out").glob("*.jsonl"))
    assert len(faults(tmp_path / "out")) == 11


def test_training_rows_alone_are_pruned_by_duration(capsys, tmp_path):
    trees.an4(tmp_path / "in")
    words = ("--output-dir", tmp_path / "out", "--min-duration", "0.5")
    assert prepare(capsys, "an4", tmp_path / "in", *words).status == 0
    assert {name: len(rows) for name, rows in parts(tmp_path / "out").items()} == {"val": 3, "test": 2}


def test_options_that_cannot_be_meant_are_refused(capsys, tmp_path):
    out = ("--output-dir", tmp_path / "out")
    words = (tmp_path, "--tar-path", tmp_path / "a.tgz")
    assert_refused(prepare(capsys, "an4", *words, *out), "more than one source")
    assert_refused(prepare(capsys, "an4", tmp_path, "--url", "http://x/y.tgz", *out), "more than one source")
    for kind, name in (("an4", "subsets"), ("librispeech", "language"), ("commonvoice", "release")):
        assert_refused(prepare(capsys, kind, tmp_path, f"--{name}", "1", *out), f"--{name} 1", kind)


def test_a_manifest_of_an_earlier_call_is_told(capsys, tmp_path):
    trees.an4(tmp_path / "in")
    words = (tmp_path / "in", "--output-dir", tmp_path / "out", "--force")
    assert "earlier call" not in prepare(capsys, "an4", *words).out
    answer = prepare(capsys, "an4", *words, "--val-fraction", "0")
    assert "val.jsonl is of an earlier call" in answer.out


def test_validated_clips_alone_are_split_by_speaker(capsys, tmp_path):
    root = trees.common_voice(tmp_path / "in")
    for part in ("train", "dev", "test"):
        (root / "ja" / f"{part}.tsv").unlink()
    answer = prepare(capsys, "commonvoice", root, "--output-dir", tmp_path / "out", "--val-fraction", "0.3")
    assert answer.status == 0, answer.err
    found = parts(tmp_path / "out")
    assert {name: len(rows) for name, rows in found.items()} == {"train": 8, "val": 4}
    owners = [{row.speaker for row in part} for part in found.values()]
    assert len(set.union(*owners)) == sum(map(len, owners))


def test_json_manifests_of_2022_are_prepared(capsys, tmp_path):
    for number in range(4):
        trees.write_wav(tmp_path / "wav" / f"{number}.wav", 0.2)
        trees.put(tmp_path / "txt" / f"{number}.txt", f"TEXT {number}")
    samples = [{"wav_path": f"wav/{n}.wav", "transcript_path": f"txt/{n}.txt"} for n in range(5)]
    trees.put(tmp_path / "m.json", json.dumps({"root_path": str(tmp_path), "samples": samples}))
    answer = prepare(capsys, "csv", tmp_path / "m.json", "--output-dir", tmp_path / "out", "--val-fraction", "0.25")
    assert answer.status == 0, answer.err
    assert {name: len(rows) for name, rows in parts(tmp_path / "out").items()} == {"train": 3, "val": 1}
    assert "1 unreadable (1 line)" in answer.out


def test_speakers_of_a_folder_with_none_are_not_needed(capsys, tmp_path):
    trees.write_wav(tmp_path / "a.wav", 0.2)
    trees.put(tmp_path / "a.txt", "one")
    answer = prepare(capsys, "folder", tmp_path, "--output-dir", tmp_path / "out")
    assert answer.status == 0, answer.err
    assert {name: len(rows) for name, rows in parts(tmp_path / "out").items()} == {"train": 1}
