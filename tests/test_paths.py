"""Nothing is lost: files appear whole or not at all."""

import errno

import pytest

from onsei.errors import OnseiError
from onsei.paths import cache_folder, write_text, written_aside


def half_write(target, error):
    with written_aside(target) as aside:
        aside.write_text("half")
        raise error


def test_a_failed_write_leaves_the_old_file_and_no_rubbish(tmp_path):
    target = tmp_path / "a.txt"
    write_text(target, "old")
    with pytest.raises(RuntimeError):
        half_write(target, RuntimeError())
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_full_disk_is_told_and_loses_nothing(tmp_path):
    target = tmp_path / "a.txt"
    write_text(target, "old")
    with pytest.raises(OnseiError, match="disk is full"):
        half_write(target, OSError(errno.ENOSPC, "No space left on device"))
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


def test_a_folder_takes_the_place_of_a_folder(tmp_path):
    target = tmp_path / "音声"
    for word in ("old", "new"):
        with written_aside(target) as aside:
            aside.mkdir()
            (aside / f"{word}.txt").write_text(word)
    assert [p.name for p in target.iterdir()] == ["new.txt"]
    assert [p.name for p in tmp_path.iterdir()] == ["音声"]


def test_the_cache_folder_can_be_chosen(monkeypatch, tmp_path):
    monkeypatch.setenv("ONSEI_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
