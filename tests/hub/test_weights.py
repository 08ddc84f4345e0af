"""The safetensors door: what is saved comes back, and nothing else gets in."""

from __future__ import annotations

import errno
import pickle

import pytest
import torch
from safetensors import SafetensorError

from onsei.errors import ModelError, OnseiError
from onsei.hub import weights


def sample() -> dict[str, torch.Tensor]:
    return {
        "layer.weight": torch.randn(3, 4),
        "layer.count": torch.tensor(7),
        "half": torch.randn(5).bfloat16(),
        "flags": torch.tensor([True, False]),
        "empty": torch.empty(0, 3),
    }


def test_tensors_and_metadata_come_back_bit_for_bit(tmp_path):
    tensors = sample()
    weights.save(tmp_path / "m.safetensors", tensors, {"step": "12", "name": "音声"})
    loaded = weights.load(tmp_path / "m.safetensors")
    assert loaded.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert loaded[name].dtype == tensor.dtype
        assert torch.equal(loaded[name], tensor)
    assert weights.metadata(tmp_path / "m.safetensors") == {"step": "12", "name": "音声"}


def test_tied_and_strided_tensors_are_saved_by_value(tmp_path):
    base = torch.arange(12.0).reshape(3, 4)
    tensors = {"tied": base, "twin": base, "part": base[1], "turned": base.T, "grown": torch.nn.Parameter(base)}
    weights.save(tmp_path / "m.safetensors", tensors)
    loaded = weights.load(tmp_path / "m.safetensors")
    assert all(torch.equal(loaded[name], tensor) for name, tensor in tensors.items())
    assert (tmp_path / "m.safetensors").stat().st_size < 1500


def test_a_view_does_not_drag_its_whole_storage_along(tmp_path):
    weights.save(tmp_path / "m.safetensors", {"slice": torch.zeros(1_000_000)[:3]})
    assert (tmp_path / "m.safetensors").stat().st_size < 1000


def test_header_gives_names_shapes_and_types(tmp_path):
    weights.save(tmp_path / "m.safetensors", sample())
    assert weights.keys(tmp_path / "m.safetensors") == ("empty", "flags", "half", "layer.count", "layer.weight")
    found = weights.describe(tmp_path / "m.safetensors")
    assert found["layer.weight"] == weights.TensorInfo((3, 4), "F32")
    assert found["half"].dtype == "BF16"
    assert (found["layer.weight"].size, found["layer.count"].size, found["empty"].size) == (12, 1, 0)


def test_no_tensor_at_all_is_a_file_too(tmp_path):
    weights.save(tmp_path / "m.safetensors", {})
    assert weights.load(tmp_path / "m.safetensors") == {}


@pytest.mark.parametrize("read", [weights.load, weights.keys, weights.metadata])
@pytest.mark.parametrize("content", [b"", b"garbage that is no header", b"\x08\0\0\0\0\0\0\0{notjson"])
def test_other_files_are_refused(tmp_path, read, content):
    (tmp_path / "m.safetensors").write_bytes(content)
    with pytest.raises(ModelError, match=r"m\.safetensors: not a whole safetensors file"):
        read(tmp_path / "m.safetensors")


@pytest.mark.parametrize("kept", [4, 60, 0.5, 0.99])
def test_a_truncated_file_is_refused(tmp_path, kept):
    path = tmp_path / "m.safetensors"
    weights.save(path, {"a": torch.randn(100)})
    content = path.read_bytes()
    path.write_bytes(content[: kept if kept >= 1 else int(kept * len(content))])
    with pytest.raises(ModelError, match="not a whole safetensors file"):
        weights.load(path)


class Bomb:
    def __reduce__(self):
        return pytest.fail, ("a pickle was executed",)


def test_a_header_of_any_length_is_read_back(tmp_path):
    """Lengths such as 640 begin with the bytes of a pickle."""
    beginnings = set()
    for length in range(1, 1500, 7):
        weights.save(tmp_path / "m.safetensors", {"x": torch.ones(1)}, {"note": "n" * length})
        beginnings.add((tmp_path / "m.safetensors").read_bytes()[:2])
        assert weights.keys(tmp_path / "m.safetensors") == ("x",)
    assert b"\x80\x02" in beginnings


def test_a_pickle_under_the_right_name_is_never_executed(tmp_path):
    (tmp_path / "m.safetensors").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(ModelError, match="pickle"):
        weights.load(tmp_path / "m.safetensors")
    torch.save({"a": torch.zeros(1)}, tmp_path / "t.safetensors")
    with pytest.raises(ModelError, match="pickle"):
        weights.load(tmp_path / "t.safetensors")


def test_missing_file_and_folder_are_named(tmp_path):
    with pytest.raises(ModelError, match=r"gone\.safetensors: no such file"):
        weights.load(tmp_path / "gone.safetensors")
    with pytest.raises(ModelError, match="cannot be read"):
        weights.load(tmp_path)


def test_something_else_than_a_dense_tensor_is_refused_and_the_old_file_stays(tmp_path):
    path = tmp_path / "m.safetensors"
    weights.save(path, {"a": torch.ones(2)})
    with pytest.raises(ModelError, match="'b'"):
        weights.save(path, {"b": torch.eye(2).to_sparse()})
    assert torch.equal(weights.load(path)["a"], torch.ones(2))


def test_a_full_disk_is_named_and_the_old_file_stays(tmp_path, monkeypatch):
    path = tmp_path / "m.safetensors"
    weights.save(path, {"a": torch.ones(2)})

    def full(tensors, file, metadata):
        file.write_bytes(b"half")
        raise SafetensorError(f"I/O error: No space left on device (os error {errno.ENOSPC})")

    monkeypatch.setattr(weights, "save_file", full)
    with pytest.raises(OnseiError, match="disk is full"):
        weights.save(path, {"a": torch.zeros(2)})
    assert torch.equal(weights.load(path)["a"], torch.ones(2))
    assert [p.name for p in tmp_path.iterdir()] == ["m.safetensors"]
