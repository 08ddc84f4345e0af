"""Readers of corpora on miniature trees: what they find, and the faults that they tell and pass over."""

from collections import Counter

import numpy as np
import pytest

from onsei.audio import io
from onsei.data.corpora import CORPORA, Choice, Fault, measured
from onsei.data.corpora.corpus import Names
from onsei.data.corpora.lines import read_lines
from onsei.errors import DataError
from tests.data import trees


def read(name, folder, made=None, **chosen):
    """(rows by part, faults) of a corpus."""
    corpus, choice = CORPORA[name], Choice(made=made or folder / "made", **chosen)
    rows, faults = {}, []
    for entry in measured(corpus.read(corpus.roots(folder, choice), choice)):
        if isinstance(entry, Fault):
            faults.append(entry)
        else:
            rows.setdefault(entry.part, []).append(entry.row)
    return rows, faults


def counts(rows):
    return {part: len(found) for part, found in rows.items()}


def kinds(faults):
    return dict(Counter(fault.kind for fault in faults))


@pytest.mark.parametrize(("write", "ending"), [(trees.write_raw, ".raw"), (trees.write_sph, ".sph")])
def test_an4_in_both_of_its_forms(tmp_path, write, ending):
    trees.an4(tmp_path / "in", write, ending)
    rows, faults = read("an4", tmp_path / "in", tmp_path / "made")
    assert (counts(rows), faults) == ({"train": 9, "test": 2}, [])
    first = rows["train"][0]
    assert (first.id, first.text, first.speaker, first.duration) == ("an251-fash-b", "P I T AN", "fash", 0.2)
    assert rows["test"][0].text == "P I T AN"
    heard, rate = io.load(first.audio)
    assert rate == 16000
    np.testing.assert_array_equal(heard, trees.tone().astype(np.float32) / 32768)
    made = list((tmp_path / "made").rglob("*.wav")) if (tmp_path / "made").exists() else []
    assert len(made) == (11 if ending == ".raw" else 0)
    assert not [path for path in (tmp_path / "in").rglob("*") if path.suffix == ".wav"], "the corpus is left as it is"


def test_an4_converts_once_and_again_what_was_cut_short(tmp_path):
    trees.an4(tmp_path)
    rows, _ = read("an4", tmp_path)
    first, second = (row.audio for row in rows["train"][:2])
    before = second.stat().st_mtime_ns
    first.write_bytes(first.read_bytes()[:100])
    rows, faults = read("an4", tmp_path)
    assert faults == []
    assert (io.info(first).duration, second.stat().st_mtime_ns) == (0.2, before)


def test_an4_with_faults(tmp_path):
    trees.an4_with_faults(tmp_path)
    rows, faults = read("an4", tmp_path)
    assert counts(rows) == {"train": 5, "test": 2}
    assert kinds(faults) == {
        "audio": 1, "empty": 1, "transcript": 2, "duplicate": 2, "line": 2, "missing": 2, "encoding": 1
    }  # fmt: skip


def test_librispeech_subsets(tmp_path):
    trees.librispeech(tmp_path)
    rows, faults = read("librispeech", tmp_path)
    assert (counts(rows), faults) == ({"train": 4, "val": 8, "test-clean": 4, "test-other": 4}, [])
    first = rows["train"][0]
    assert (first.id, first.speaker, first.text) == ("100-128104-0000", "100", "MISTER QUILTER'S 0")
    assert first.extra == {"subset": "train-clean-100"}
    some, _ = read("librispeech", tmp_path, subsets=("dev-clean.tar.gz", "test-other"))
    assert counts(some) == {"val": 4, "test-other": 4}
    one, _ = read("librispeech", tmp_path / "LibriSpeech" / "dev-clean")
    assert counts(one) == {"val": 4}
    with pytest.raises(DataError, match="train-clean-360"):
        read("librispeech", tmp_path, subsets=("train-clean-360", "dev-clean"))


def test_librispeech_with_faults(tmp_path):
    trees.librispeech_with_faults(tmp_path)
    rows, faults = read("librispeech", tmp_path)
    assert counts(rows) == {"train": 2}
    assert kinds(faults) == {
        "missing": 1, "empty": 1, "transcript": 2, "audio": 1, "duplicate": 1, "line": 1, "encoding": 1
    }  # fmt: skip


@pytest.mark.parametrize("name", ["TEDLIUM_release2", "TEDLIUM_release-3/legacy"])
def test_tedlium_segments(tmp_path, name):
    trees.tedlium(tmp_path, name)
    rows, faults = read("tedlium", tmp_path)
    assert (counts(rows), faults) == ({"train": 2, "val": 2, "test": 2}, [])
    first, last = rows["train"]
    assert (first.text, last.text) == ("it's we don't 'cause a", "and i'm done")
    assert (first.offset, first.duration, first.speaker) == (0.25, 0.75, "AnnTrain_2010")
    assert first.id == "AnnTrain_2010-0000025-0000100"
    assert last.duration == 1.0, "times that pass the end a little are cut there"
    assert len(io.load(last.audio, offset=last.offset, duration=last.duration)[0]) == 16000


def test_tedlium_3_finds_the_talks_of_all_parts_in_one_folder(tmp_path):
    root = trees.tedlium(tmp_path, "TEDLIUM_release-3/legacy")
    for part in ("train", "dev", "test"):
        for sound in (root / part / "sph").iterdir():
            sound.rename(trees.put(root.parent / "data" / "sph" / sound.name, b""))
    rows, faults = read("tedlium", tmp_path)
    assert (counts(rows), faults) == ({"train": 2, "val": 2, "test": 2}, [])


def test_tedlium_with_faults(tmp_path):
    trees.tedlium_with_faults(tmp_path)
    rows, faults = read("tedlium", tmp_path)
    assert counts(rows) == {"train": 2, "val": 2, "test": 2}
    assert kinds(faults) == {
        "segment": 3, "line": 3, "transcript": 2, "duplicate": 1, "encoding": 1, "missing": 1, "empty": 1, "audio": 2
    }  # fmt: skip
    assert any("Short_2011.sph" in fault.reason and "shorten" in fault.reason for fault in faults)
    assert any("3 segments of it are lost" in fault.reason for fault in faults)


def test_voxforge_in_its_many_layouts(tmp_path):
    trees.voxforge(tmp_path)
    rows, faults = read("voxforge", tmp_path)
    found = {row.id: row for row in rows["train"]}
    assert len(found) == 9
    assert found["Aaron-20080318-kdl/a0001"].text == "HELLO THERE"
    assert found["late-20110101-z/b1"].text == "ÜBER WIDE"
    assert found["Éva Ödön-20090101-x y/RP-1"].text == "gone"
    assert {row.speaker for row in found.values()} == {"Aaron", "anonymous-20080425-abc", "1028", "Éva Ödön", "late"}
    assert kinds(faults) == {"missing": 1, "transcript": 1}, "a name with a space cannot be told from its prompt"


def test_voxforge_with_faults(tmp_path):
    trees.voxforge_with_faults(tmp_path)
    rows, faults = read("voxforge", tmp_path)
    bob = [fault for fault in faults if "Bob" in fault.place]
    assert [row.text for row in rows["train"] if row.speaker == "Bob"] == ["FINE"]
    assert kinds(bob) == {
        "duplicate": 1, "transcript": 2, "empty": 1, "audio": 1, "missing": 1, "encoding": 1
    }  # fmt: skip


def test_common_voice_1(tmp_path):
    trees.common_voice_1(tmp_path)
    rows, faults = read("commonvoice", tmp_path)
    assert (counts(rows), faults) == ({"train": 3, "val": 1, "test": 1}, [])
    assert (rows["train"][0].id, rows["train"][0].text) == ("cv-valid-train/sample-000000", "hello, 0")
    some, _ = read("commonvoice", tmp_path, subsets=("cv-valid-dev.csv", "cv-valid-test.csv"))
    assert counts(some) == {"val": 1, "test": 1}


def test_common_voice_in_any_language(tmp_path):
    trees.common_voice(tmp_path, ("ja", "cy"))
    with pytest.raises(DataError, match="several languages") as stopped:
        read("commonvoice", tmp_path)
    assert "--language" in stopped.value.mend
    with pytest.raises(DataError, match="no language 'de'"):
        read("commonvoice", tmp_path, language="de")
    rows, faults = read("commonvoice", tmp_path, language="ja")
    assert (counts(rows), faults) == ({"train": 4, "val": 4, "test": 4}, [])
    assert (rows["train"][0].text, rows["train"][0].lang) == ('"こんにちは" 0', "ja")


def test_common_voice_never_trains_on_a_speaker_of_dev_or_test(tmp_path):
    trees.common_voice(tmp_path)
    rows, faults = read("commonvoice", tmp_path, subsets=("validated.tsv", "dev.tsv", "test.tsv"))
    assert counts(rows) == {"train": 4, "val": 4, "test": 4}
    assert kinds(faults) == {"speaker": 8}
    owners = [{row.speaker for row in part} for part in rows.values()]
    assert len(set.union(*owners)) == sum(map(len, owners))


def test_common_voice_with_faults(tmp_path):
    trees.common_voice_with_faults(tmp_path)
    rows, faults = read("commonvoice", tmp_path)
    assert counts(rows) == {"train": 3, "val": 4, "test": 4}
    assert rows["train"][-1].text == 'He said "no"'
    assert rows["train"][-1].speaker is None
    assert kinds(faults) == {
        "missing": 1, "empty": 1, "duplicate": 1, "speaker": 1, "transcript": 1, "line": 2, "encoding": 1
    }  # fmt: skip


def test_a_common_voice_list_without_its_columns_is_a_fault(tmp_path):
    root = trees.common_voice(tmp_path)
    trees.put(root / "ja" / "train.tsv", "a\tb\n1\t2\n")
    rows, faults = read("commonvoice", tmp_path)
    assert counts(rows) == {"val": 4, "test": 4}
    assert kinds(faults) == {"line": 1}


@pytest.mark.parametrize("name", sorted(CORPORA))
def test_a_folder_of_something_else_is_not_a_corpus(tmp_path, name):
    trees.put(tmp_path / "wav" / "notes.md", "nothing")
    choice = Choice(made=tmp_path)
    assert CORPORA[name].roots(tmp_path, choice) == []


def test_every_file_of_a_long_list_is_opened_once(tmp_path, monkeypatch):
    trees.tedlium(tmp_path)
    opened, info = [], io.info
    monkeypatch.setattr(io, "info", lambda path: (opened.append(path), info(path))[1])
    read("tedlium", tmp_path)
    assert len(opened) == 3


def test_lines_are_read_in_spite_of_marks_and_lengths(tmp_path):
    path = trees.put(tmp_path / "a.txt", b"\xef\xbb\xbf one \r\n\n" + b"x" * (1 << 20) + b"\nthree\n")
    first, second = read_lines(path)
    assert first.text == "one"
    assert second.kind == "line"
    assert next(read_lines(path, strip=False)).text == " one "
    assert [fault.kind for fault in read_lines(tmp_path / "gone.txt")] == ["missing"]
    assert [fault.kind for fault in read_lines(trees.put(tmp_path / "b.txt", b"\xff\xfea"))] == ["encoding"]


def test_names_are_new_once():
    names = Names()
    assert [names.is_new(name) for name in "abca"] == [True, True, True, False]
    assert "b" in names
    assert "d" not in names
