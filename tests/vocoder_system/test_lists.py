"""Recordings from folders, HiFi-GAN's filelists and manifests; what is missing is told before training."""

import os

import numpy as np
import pytest

from onsei.data import manifest
from onsei.data.row import Row
from onsei.errors import OnseiError
from onsei.systems.vocoder.data.lists import gathered
from onsei.systems.vocoder.data.segments import EXTRA
from tests.vocoder_system.conftest import options


def ids(opened):
    return sorted(row.id for row in opened)


def test_a_folder_of_sounds_is_split_without_overlap(tmp_path, wavs):
    lists = gathered(options(tmp_path / "run", wavs_dir=wavs))
    assert len(lists.val) == 1
    assert sorted([*ids(lists.train), *ids(lists.val)]) == ["a", "b", "c", "d"]
    again = gathered(options(tmp_path / "other", wavs_dir=wavs))
    assert ids(again.val) == ids(lists.val)


def test_a_filelist_names_sounds_and_texts(tmp_path, wavs):
    (tmp_path / "train.txt").write_text("a|Guten Tag|guten tag\n\nc\n", encoding="utf-8-sig")
    (tmp_path / "val.txt").write_text("b.wav|x\n", encoding="utf-8")
    given = {"train_manifest": tmp_path / "train.txt", "val_manifest": tmp_path / "val.txt", "wavs_dir": wavs}
    lists = gathered(options(tmp_path / "run", **given))
    assert [(row.id, row.text) for row in lists.train] == [("a", "Guten Tag|guten tag"), ("c", None)]
    assert [row.audio.name for row in lists.val] == ["b.wav"]


def test_mels_and_extra_mels_are_found_by_name(tmp_path, wavs):
    given = {"wavs_dir": wavs, "mels_dir": tmp_path / "mels", "extra_mels_dir": tmp_path / "mels"}
    lists = gathered(options(tmp_path / "run", fine_tuning=True, **given))
    for row in lists.train:
        for found in (row.features, row.extra[EXTRA]):
            assert os.path.realpath(found) == str(tmp_path / "mels" / f"{row.id}.npy")


def test_a_manifest_is_read_as_it_is_and_gets_mels_where_they_are_named(tmp_path, wavs):
    rows = [Row(id=f"row-{name}", audio=wavs / f"{name}.wav") for name in "abc"]
    manifest.write(tmp_path / "t.jsonl", rows)
    given = {"train_manifest": tmp_path / "t.jsonl", "val_manifest": tmp_path / "t.jsonl"}
    assert gathered(options(tmp_path / "run", **given)).train.path == tmp_path / "t.jsonl"
    tuned = gathered(options(tmp_path / "run", fine_tuning=True, mels_dir=tmp_path / "mels", **given))
    found = [os.path.realpath(row.features) for row in tuned.train]
    assert found == [str(tmp_path / "mels" / f"{name}.npy") for name in "abc"]


BAD = {
    "nothing named": (dict, "which recordings"),
    "no such folder": (lambda t, w: {"wavs_dir": t / "nowhere"}, "no such folder"),
    "an empty folder": (lambda t, w: {"wavs_dir": t / "empty"}, "no sound lies there"),
    "a list without its sounds": (lambda t, w: {"train_manifest": t / "list.txt"}, "where are their sounds"),
    "a list that names nothing": (
        lambda t, w: {"train_manifest": t / "blank.txt", "wavs_dir": w},
        "no recordings|holds",
    ),
    "a sound that is missing": (
        lambda t, w: {"train_manifest": t / "list.txt", "wavs_dir": w},
        "zzz.wav: no such sound",
    ),
    "a name twice": (lambda t, w: {"train_manifest": t / "twice.txt", "wavs_dir": w}, "stands here twice"),
    "mels without fine-tuning": (lambda t, w: {"wavs_dir": w, "mels_dir": t / "mels"}, "without fine_tuning"),
    "fine-tuning without mels": (lambda t, w: {"wavs_dir": w, "fine_tuning": True}, "from which mels"),
    "empty extra mels": (
        lambda t, w: {"wavs_dir": w, "fine_tuning": True, "mels_dir": t / "mels", "extra_mels_dir": t / "empty"},
        "no mel, .npy or .npz, lies there",
    ),
    "extra mels of some": (
        lambda t, w: {"wavs_dir": w, "fine_tuning": True, "mels_dir": t / "mels", "extra_mels_dir": t / "some"},
        "3 mels are missing",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_missing_or_contradicts_is_told(case, tmp_path, wavs):
    make, message = BAD[case]
    for name in ("empty", "some"):
        (tmp_path / name).mkdir()
    np.save(tmp_path / "some" / "a.npy", np.zeros((32, 10), np.float32))
    for name, text in {"list": "a|x\nzzz|y\n", "blank": "\n \n", "twice": "a|x\na|y\n"}.items():
        (tmp_path / f"{name}.txt").write_text(text, encoding="utf-8")
    values = make() if make is dict else make(tmp_path, wavs)
    with pytest.raises(OnseiError, match=message):
        gathered(options(tmp_path / "run", **values))


def test_one_recording_cannot_be_split(tmp_path, wavs):
    for name in "bcd":
        (wavs / f"{name}.wav").unlink()
    with pytest.raises(OnseiError, match="1 recordings, 1 to hold out"):
        gathered(options(tmp_path / "run", wavs_dir=wavs))
