"""Feature cache: what was made is read, what changed is made again, damage does no harm."""

import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context

import numpy as np
import pytest

from onsei.data import cache as module
from onsei.data.cache import FeatureCache
from onsei.data.row import Row
from onsei.errors import DataError


@pytest.fixture
def row(tmp_path):
    (tmp_path / "音 1.wav").write_bytes(b"sound")
    return Row("a", audio=tmp_path / "音 1.wav", duration=1.0)


class Maker:
    def __init__(self, value=1.0):
        self.value, self.calls = value, 0

    def __call__(self):
        self.calls += 1
        return np.full((3, 5), self.value, dtype=np.float32).T


def test_second_reading_computes_nothing(tmp_path, row):
    make = Maker()
    first = FeatureCache(tmp_path / "c", {"n": 1}).get(row, make)
    again = FeatureCache(tmp_path / "c", {"n": 1}).get(row, make)
    assert make.calls == 1
    assert isinstance(again, np.memmap)
    assert not again.flags.writeable
    assert (again.dtype, again.shape) == (np.float32, (5, 3))
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize(
    "change",
    [lambda r: replace(r, offset=0.0), lambda r: replace(r, duration=2.0), lambda r: replace(r, channel=0)],
)
def test_another_segment_is_another_entry(tmp_path, row, change):
    cache, make = FeatureCache(tmp_path / "c", "k"), Maker()
    cache.get(row, make)
    cache.get(change(row), make)
    assert make.calls == 2


def test_another_key_or_changed_file_is_another_entry(tmp_path, row):
    make = Maker()
    FeatureCache(tmp_path / "c", {"rate": 8000}).get(row, make)
    FeatureCache(tmp_path / "c", {"rate": 16000}).get(row, make)
    os.utime(row.audio, ns=(1, 1))
    FeatureCache(tmp_path / "c", {"rate": 8000}).get(row, make)
    assert make.calls == 3


def test_text_and_id_change_nothing(tmp_path, row):
    cache, make = FeatureCache(tmp_path / "c", "k"), Maker()
    cache.get(row, make)
    cache.get(replace(row, id="b", text="other"), make)
    assert make.calls == 1


@pytest.mark.parametrize(
    "damage",
    [lambda b: b"", lambda b: b[:10], lambda b: b[:-9], lambda b: b"\0" * len(b), lambda b: b[:-20] + b"\1" + b[-19:],
     lambda b: b[:-1] + bytes([b[-1] ^ 1]), lambda b: b"not an array"],
)  # fmt: skip
def test_damaged_entry_is_made_again(tmp_path, row, damage):
    cache, make = FeatureCache(tmp_path / "c", "k"), Maker()
    cache.get(row, make)
    path = cache.path(row)
    path.write_bytes(damage(path.read_bytes()))
    np.testing.assert_array_equal(cache.get(row, make), np.ones((5, 3)))
    assert make.calls == 2
    cache.get(row, make)
    assert make.calls == 2


def test_failing_maker_leaves_nothing_behind(tmp_path, row):
    def fails():
        raise DataError("cannot")

    cache = FeatureCache(tmp_path / "c", "k")
    with pytest.raises(DataError):
        cache.get(row, fails)
    assert cache.size() == 0


def test_full_disk_is_no_fault_of_the_row(tmp_path, row, monkeypatch):
    def full(*args, **options):
        raise OSError(28, "No space left on device")

    cache = FeatureCache(tmp_path / "c", "k")
    monkeypatch.setattr(module.np, "save", full)
    with pytest.raises(OSError, match="No space"):
        cache.get(row, Maker())
    assert [path for path in (tmp_path / "c").rglob("*") if path.is_file()] == []


def test_size_is_told(tmp_path, row):
    cache = FeatureCache(tmp_path / "c", "k")
    assert cache.size() == 0
    cache.get(row, Maker())
    assert cache.size() == cache.path(row).stat().st_size > 60


def test_row_without_a_file_and_missing_file_are_named(tmp_path):
    cache = FeatureCache(tmp_path / "c", "k")
    with pytest.raises(DataError, match="row a"):
        cache.get(Row("a"), Maker())
    with pytest.raises(DataError, match=r"gone\.wav"):
        cache.get(Row("a", audio=tmp_path / "gone.wav"), Maker())


def test_objects_are_not_kept(tmp_path, row):
    with pytest.raises(TypeError, match="numbers"):
        FeatureCache(tmp_path / "c", "k").get(row, lambda: np.array([{}]))


def fill(folder, row):
    cache = FeatureCache(folder, "k")
    return [float(cache.get(replace(row, offset=float(n)), Maker(float(n))).sum()) for n in range(40)]


def test_two_processes_share_a_cache(tmp_path, row):
    with ProcessPoolExecutor(2, get_context("spawn")) as pool:
        found = [job.result() for job in [pool.submit(fill, tmp_path / "c", row) for _ in range(2)]]
    assert found == [[15.0 * n for n in range(40)]] * 2
    assert list((tmp_path / "c").rglob("*.part")) == []
