"""Checkpoints of torch.save, old and new, are read as data: same tensors, inert records, and nothing is ever run."""

import builtins
import contextlib
import enum
import operator
import os
import pickle
import subprocess
import zipfile
from collections import OrderedDict
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import torch

from onsei.errors import ModelError
from onsei.hub import checkpoints, pickles
from onsei.hub.checkpoints import Named, Record, plain
from tests.hub.hostile import MARK, Calls, archive, by_text, raw, sequence, tensor


class Window(enum.Enum):
    hamming = "hamming"


class Config:
    def __init__(self, **fields):
        self.__dict__.update(fields)


class Setting:
    """Does harm when it is given its attributes."""

    def __init__(self):
        self.here = 1

    def __setstate__(self, state):
        Path(MARK).touch()


def content():
    x = torch.arange(10.0)
    return {
        "matrix": torch.randn(3, 4),
        "turned": torch.randn(4, 3).t(),
        "scalar": torch.tensor(3),
        "half": torch.ones(3).half(),
        "bfloat": torch.ones(3).bfloat16(),
        "bool": torch.tensor([True, False]),
        "empty": torch.empty(0, 2),
        "parameter": torch.nn.Parameter(torch.ones(2)),
        "shared": [x[2:5], x[4:]],
        "ordered": OrderedDict(a=1, b=(2, [3.5, None, True])),
        "text": "あ\n",
        "bytes": b"\x00\xff",
        "set": {1, "a"},
        "big": 2**100,
    }


def same(one, other):
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[k], other[k]) for k in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


@pytest.fixture(params=["archive", "sequence"])
def saved(request, tmp_path):
    """A function that saves in one of the two formats."""

    def save(value, **options):
        path = tmp_path / "file.pth"
        torch.save(value, path, _use_new_zipfile_serialization=request.param == "archive", **options)
        return path

    return save


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_what_torch_saved_is_read(saved, protocol):
    want = content()
    assert same(want, checkpoints.read(saved(want, pickle_protocol=protocol)))


def test_what_weights_only_reads_is_read_alike(saved):
    path = saved(content())
    assert same(torch.load(path, weights_only=True), checkpoints.read(path))


def test_tensors_that_share_numbers_share_them_still_and_the_file_stays(saved):
    path = saved(content())
    before = path.read_bytes()
    one, other = checkpoints.read(path)["shared"]
    one[2] = 99.0
    assert other[0] == 99.0
    assert path.read_bytes() == before


def test_objects_become_records_and_classes_names(saved):
    path = saved(
        {"config": Config(window=Window.hamming, size=3), "kind": torch.nn.LSTM, "space": SimpleNamespace(a=1)}
    )
    found = checkpoints.read(path)
    assert isinstance(found["config"], Record)
    assert found["config"].name.endswith("test_checkpoints.Config")
    assert found["config"].field("size") == 3
    assert found["kind"] == Named("torch.nn.modules.rnn.LSTM")
    assert plain(found) == {"config": {"window": "hamming", "size": 3}, "kind": "LSTM", "space": {"a": 1}}


def test_tensors_lie_in_the_mapped_file_and_take_memory_only_when_used(tmp_path):
    torch.save({"a": torch.zeros(16_000_000), "b": torch.ones(4)}, tmp_path / "big.pt")
    process = psutil.Process()
    before = process.memory_info().rss
    found = checkpoints.read(tmp_path / "big.pt")
    assert found["b"].sum() == 4
    assert found["a"].shape == (16_000_000,)
    assert process.memory_info().rss - before < 32e6


HARM = {
    "os.system": Calls(os.system, f"touch {MARK}"),
    "in a list": [1, {"deep": [Calls(os.system, f"touch {MARK}")]}],
    "subprocess": Calls(subprocess.check_output, ["touch", MARK]),
    "exec": Calls(builtins.exec, f"open('{MARK}', 'w')"),
    "eval": Calls(builtins.eval, f"open('{MARK}', 'w')"),
    "open": Calls(builtins.open, MARK, "w"),
    "import": Calls(builtins.__import__, "antigravity"),
    "getattr of a module": Calls(getattr, Calls(builtins.__import__, "os"), "system"),
    "getattr of an object": Calls(getattr, "text", "join"),
    "methodcaller": Calls(operator.methodcaller, "system", "true"),
    "partial": Calls(partial, os.system, f"touch {MARK}"),
    "map": Calls(map, os.system, [f"touch {MARK}"]),
    "pickle": Calls(pickle.loads, by_text("os", "system")),
    "torch.load": Calls(torch.load, MARK),
    "torch.hub": Calls(torch.hub.load, "a/b", "c"),
    "storage bytes": Calls(torch.storage._load_from_bytes, by_text("os", "system")),
}


@pytest.mark.parametrize("harm", HARM)
def test_what_runs_code_is_refused_and_not_run(harm, saved, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = saved({"state_dict": {"w": torch.ones(2)}, "extra": HARM[harm]})
    with pytest.raises(ModelError, match=r"refused: it holds .*could run code"):
        checkpoints.read(path)
    assert not (tmp_path / MARK).exists()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("posix", "system"), ("nt", "system"), ("__builtin__", "eval"), ("builtins", "getattr.__class__"),
        ("commands", "getoutput"), ("torch", "os.system"), ("runpy", "run_path"), ("ctypes", "CDLL"),
        ("types", "CodeType"), ("types", "FunctionType"), ("importlib", "import_module"),
        ("collections.abc", "sys.exit"), ("operator", "attrgetter"), ("torch.ops", "load_library"),
        ("pathlib", "os.system"), ("typing", "sys.modules"), ("sys", "exit"),
    ],
)  # fmt: skip
def test_names_that_run_code_are_refused_in_both_formats(module, name, tmp_path):
    for path in (archive(tmp_path / "a.pt", by_text(module, name)), sequence(tmp_path / "s.pt", by_text(module, name))):
        with pytest.raises(ModelError, match="could run code"):
            checkpoints.read(path)


@pytest.mark.parametrize("instruction", [b"\x82\x01", b"P1\n", b"\x97", b"\x98"])
def test_instructions_that_reach_outside_are_refused(instruction, tmp_path):
    with pytest.raises(ModelError, match=r"refused|not a whole pickle"):
        checkpoints.read(archive(tmp_path / "a.pt", b"\x80\x02" + instruction + b"."))


def test_attributes_of_an_unknown_object_run_nothing(saved, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = checkpoints.read(saved({"object": Setting()}))["object"]
    assert found.state == {"here": 1}
    assert not (tmp_path / MARK).exists()


def test_an_unknown_function_stays_a_record_of_its_call(tmp_path):
    found = checkpoints.read(archive(tmp_path / "a.pt", by_text("their.module", "make_it")))
    assert (found.name, found.args) == ("their.module.make_it", (MARK,))


TRICKS = {
    "count beyond the file": tensor(count=2**40, size=(2**40,)),
    "count that overflows": tensor(count=2**62, size=(4,)),
    "negative count": tensor(count=-1),
    "offset beyond": tensor(offset=3),
    "negative offset": tensor(offset=-1),
    "stride beyond": tensor(stride=(2,)),
    "negative stride": tensor(stride=(-1,)),
    "expanded to a terabyte": tensor(size=(2**20, 2**20), stride=(0, 0)),
    "shape without strides": tensor(size=(2, 2), stride=(1,)),
    "shape of text": tensor(size=("4",)),
    "key of a path": tensor(key="../../data.pkl"),
    "no storage kind": tensor(kind=torch.Tensor),
    "true for one": tensor(size=(True,), stride=(1,)),
}


@pytest.mark.parametrize("trick", TRICKS)
def test_tensors_that_claim_what_is_not_there_are_refused(trick, tmp_path):
    sound = torch.ones(4).numpy().tobytes()
    with pytest.raises(ModelError):
        checkpoints.read(archive(tmp_path / "a.pt", TRICKS[trick], [("0", sound)]))
    with pytest.raises(ModelError):
        checkpoints.read(sequence(tmp_path / "s.pt", TRICKS[trick], ["0"], raw(4, sound)))


def test_the_same_tensor_without_a_trick_is_read(tmp_path):
    sound = torch.ones(4).numpy().tobytes()
    for path in (
        archive(tmp_path / "a.pt", tensor(), [("0", sound)]),
        sequence(tmp_path / "s.pt", tensor(), ["0"], raw(4, sound)),
    ):
        assert checkpoints.read(path)["state_dict"]["w"].tolist() == [1.0] * 4


def test_huge_claims_make_no_room(tmp_path, monkeypatch):
    nested = b"\x80\x02)" + b"\x85" * 100_000 + b"."  # a tuple in a tuple in a tuple …
    as_key = b"\x80\x02})" + b"\x85" * 100_000 + b"K\x01s."
    text = b"\x80\x04\x8d" + (2**50).to_bytes(8, "little") + b"abc."
    doubled = b"\x80\x02K\x01" + b"2\x86" * 60 + b"."  # a tuple of 2^60 ones, in 124 bytes
    long = b"\x80\x02" + b"]0" * 15_000 + b"]."
    assert plain(checkpoints.read(archive(tmp_path / "n.pt", nested)), 5) is not None
    assert plain(checkpoints.read(archive(tmp_path / "d.pt", doubled)), 99) is not None
    for pickled in (as_key, text):
        with pytest.raises(ModelError):
            checkpoints.read(archive(tmp_path / "k.pt", pickled))
    monkeypatch.setattr(pickles, "MOST_STEPS", 20_000)
    with pytest.raises(ModelError, match="far longer"):
        checkpoints.read(archive(tmp_path / "l.pt", long))


def test_one_list_copied_into_many_sets_is_refused(tmp_path, monkeypatch):
    copies = b"cbuiltins\nset\nq\x01" + b"(" + b"I1\n" * 9 + b"lq\x02" + b"h\x01h\x02\x85R" * 4
    monkey = b"\x80\x02(" + copies + b"t."
    assert len(checkpoints.read(archive(tmp_path / "ok.pt", monkey))) == 6
    numbers = b"".join(b"J" + n.to_bytes(4, "little") for n in range(4_000))
    monkeypatch.setattr(pickles, "LONGEST", 100_000)
    many = b"\x80\x02(cbuiltins\nset\nq\x01(" + numbers + b"lq\x02" + b"h\x01h\x02\x85R0" * 200 + b"t."
    with pytest.raises(ModelError, match="far more than it holds"):
        checkpoints.read(archive(tmp_path / "many.pt", many))


def test_a_file_cut_short_anywhere_is_an_error(saved, tmp_path):
    whole = saved({"state_dict": {"w": torch.ones(200)}, "epoch": 3}).read_bytes()
    cut = tmp_path / "cut.pth"
    for length in [1, 5, 60, len(whole) // 3, len(whole) // 2, len(whole) - 100, len(whole) - 1]:
        cut.write_bytes(whole[:length])
        with pytest.raises(ModelError):
            checkpoints.read(cut)


def test_a_byte_changed_anywhere_does_no_harm(saved, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    whole = saved({"state_dict": {"w": torch.ones(3)}, "c": Config(a=1)}).read_bytes()
    changed = tmp_path / "changed.pth"
    for place in range(0, len(whole), 23):
        changed.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        with contextlib.suppress(ModelError):
            checkpoints.read(changed)


NOT_CHECKPOINTS = {
    "empty": (b"", "empty"),
    "text": (b"hello, this is a letter", "not a PyTorch checkpoint"),
    "sound": (b"RIFF\x24\x08\x00\x00WAVEfmt " + bytes(40), "not a PyTorch checkpoint"),
    "safetensors": ((8).to_bytes(8, "little") + b'{"a":{}}', "safetensors"),
    "pickle": (pickle.dumps({"a": 1}, 2), "pickle"),
    "pickle of now": (pickle.dumps({"a": list(range(300))}, 4), "pickle"),
    "tar": (bytes(257) + b"ustar" + bytes(300), "tar archive"),
    "archive": (b"PK\x05\x06" + bytes(18), "no PyTorch checkpoint"),
    "broken archive": (b"PK\x03\x04" + bytes(100), "not a whole ZIP archive"),
}


@pytest.mark.parametrize("kind", NOT_CHECKPOINTS)
def test_what_is_no_checkpoint_is_named(kind, tmp_path):
    data, words = NOT_CHECKPOINTS[kind]
    (tmp_path / "file.pth").write_bytes(data)
    with pytest.raises(ModelError, match=words):
        checkpoints.read(tmp_path / "file.pth")


def test_missing_files_and_folders_are_named(tmp_path):
    with pytest.raises(ModelError, match="no such file"):
        checkpoints.read(tmp_path / "none.pth")
    with pytest.raises(ModelError, match="a folder"):
        checkpoints.read(tmp_path)


def test_compressed_foreign_and_script_archives_are_refused(tmp_path):
    with pytest.raises(ModelError, match="compressed"):
        checkpoints.read(archive(tmp_path / "c.pt", b"\x80\x02N.", compression=zipfile.ZIP_DEFLATED))
    with pytest.raises(ModelError, match="big-endian"):
        checkpoints.read(archive(tmp_path / "b.pt", b"\x80\x02N.", byteorder="big"))
    torch.jit.script(torch.nn.Linear(2, 2)).save(tmp_path / "script.pt")
    with pytest.raises(ModelError, match="TorchScript"):
        checkpoints.read(tmp_path / "script.pt")
