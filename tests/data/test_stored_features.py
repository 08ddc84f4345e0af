"""Features computed elsewhere: axes, files, keys, damage."""

from pathlib import Path

import numpy as np
import pytest
import torch

from onsei.data.features import load_features
from onsei.data.manifest import Manifest
from onsei.errors import DataError
from onsei.hub import weights

FRAMES = np.arange(12, dtype=np.float64).reshape(4, 3)  # (frames, dims)
AN4 = Path(__file__).parents[3] / "shared" / "data" / "an4_mfcc" / "train.jsonl"


@pytest.fixture
def stored(tmp_path):
    np.save(tmp_path / "a.npy", FRAMES)
    np.savez_compressed(tmp_path / "a.npz", **{"k#1": FRAMES, "flat": FRAMES[0], "none": FRAMES[:0]})
    weights.save(tmp_path / "a.safetensors", {"k": torch.from_numpy(FRAMES).bfloat16()})
    return tmp_path


@pytest.mark.parametrize("name", ["a.npy", "a.npz#k#1", "a.safetensors#k"])
def test_time_first_in_the_file_is_time_last_in_memory(stored, name):
    found = load_features(str(stored / name), dims=3)
    assert (found.dtype, found.shape, found.flags.c_contiguous) == (np.float32, (3, 4), True)
    np.testing.assert_array_equal(found, FRAMES.T)


def test_other_layout_is_stated(stored):
    np.testing.assert_array_equal(load_features(str(stored / "a.npy"), dims=4, layout="dims frames"), FRAMES)


@pytest.mark.parametrize(
    ("name", "message"),
    [("a.npz#other", "no array 'other'"), ("a.npz", "with #key"), ("a.npy#k", "without #key"),
     ("b.npy", "no such file"), ("b.npz#k", "no such file"), ("a.pt", "expected .npy"),
     ("a.npz#flat", r"shape \(frames, dims\)"),
     ("a.npz#none", "at least one frame"), ("a.safetensors#x", "no array 'x'")],
)  # fmt: skip
def test_wrong_reference_is_told(stored, name, message):
    with pytest.raises(DataError, match=message):
        load_features(str(stored / name))


def test_wrong_dims_are_told_with_the_layout(stored):
    with pytest.raises(DataError, match=r"13 dims(.|\n)*frames, dims(.|\n)*\(4, 3\)"):
        load_features(str(stored / "a.npy"), dims=13)


@pytest.mark.parametrize("name", ["a.npy", "a.npz#k#1", "a.safetensors#k"])
@pytest.mark.parametrize("keep", [0, 40, -10])
def test_cut_file_is_told(stored, name, keep):
    path = stored / name.partition("#")[0]
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError):
        load_features(str(stored / name))


def test_damage_inside_an_archive_is_told(stored):
    data = bytearray((stored / "a.npz").read_bytes())
    data[60:90] = b"\xff" * 30
    (stored / "a.npz").write_bytes(data)
    with pytest.raises(DataError):
        load_features(str(stored / "a.npz#k#1"))


def test_changed_archive_is_read_again(stored):
    load_features(str(stored / "a.npz#k#1"))
    np.savez(stored / "a.npz", **{"k#1": FRAMES + 1})
    np.testing.assert_array_equal(load_features(str(stored / "a.npz#k#1")), FRAMES.T + 1)


def test_nan_is_told(stored):
    np.save(stored / "a.npy", np.where(FRAMES == 5, np.nan, FRAMES))
    with pytest.raises(DataError, match="NaN"):
        load_features(str(stored / "a.npy"))


def test_objects_are_never_loaded(stored, tmp_path):
    class Evil:
        def __reduce__(self):
            return (tmp_path / "ran").touch, ()

    np.save(stored / "a.npy", np.array([Evil()]), allow_pickle=True)
    with pytest.raises(DataError):
        load_features(str(stored / "a.npy"))
    assert not (tmp_path / "ran").exists()


@pytest.mark.skipif(not AN4.exists(), reason="no real features here")
def test_real_features_have_13_dims_and_the_manifests_frames():
    manifest = Manifest.open(AN4)
    for row in (manifest[0], manifest[400], manifest[-1]):
        assert load_features(row.features, dims=13).shape == (13, row.extra["frames"])
