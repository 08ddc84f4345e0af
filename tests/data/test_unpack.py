"""Archives: unpacked whole, resumed, and refused where they are cut short or lead outside."""

import io
import os
import stat
import sys
import tarfile
import zipfile

import pytest

from onsei.data import unpack as unpacking
from onsei.data.unpack import is_archive, stem, unpack, unpacked
from onsei.errors import DataError
from tests.data.trees import pack, put


@pytest.fixture
def folder(tmp_path):
    put(tmp_path / "corpus" / "wav" / "音 1.wav", b"sound" * 1000)
    put(tmp_path / "corpus" / "etc" / "a.txt", "text")
    put(tmp_path / "corpus" / "empty", b"")
    return tmp_path / "corpus"


def files(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name[0] != "."}


def tar(path, *members, mode="w:gz"):
    """A tar of (name, content or a change of the TarInfo)."""
    with tarfile.open(path, mode) as file:
        for name, what in members:
            info = tarfile.TarInfo(name)
            if callable(what):
                what(info)
                file.addfile(info)
            else:
                info.size = len(what)
                file.addfile(info, io.BytesIO(what))
    return path


def link(target, kind=tarfile.SYMTYPE):
    def change(info):
        info.type, info.linkname = kind, target

    return change


@pytest.mark.parametrize("ending", [".tar.gz", ".tgz", ".tar", ".tar.bz2", ".tar.xz", ".zip"])
def test_every_kind_of_archive(folder, tmp_path, ending):
    archive = tmp_path / f"an4_raw.bigendian{ending}"
    if ending == ".zip":
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
            for path in sorted(folder.rglob("*")):
                file.write(path, path.relative_to(tmp_path))
    else:
        kind = {".tgz": "gz", ".tar": ""}.get(ending, ending.rpartition(".")[2])
        with tarfile.open(archive, f"w:{kind}") as file:
            file.add(folder, "corpus")
    assert (is_archive(archive), stem(archive)) == (True, "an4_raw.bigendian")
    out = unpack(archive, tmp_path / "out")
    assert out == tmp_path / "out" / "an4_raw.bigendian"
    assert files(out / "corpus") == files(folder)
    assert os.listdir(tmp_path / "out") == ["an4_raw.bigendian"]


def test_what_is_unpacked_is_not_unpacked_again(folder, tmp_path):
    archive = pack(folder, tmp_path / "a.tgz")
    assert unpacked("a.tgz", tmp_path / "out") is None
    out = unpack(archive, tmp_path / "out")
    (out / "corpus" / "etc" / "a.txt").write_text("changed")
    assert unpack(archive, tmp_path / "out") == out == unpacked("a.tgz", tmp_path / "out")
    assert (out / "corpus" / "etc" / "a.txt").read_text() == "changed"
    put(tmp_path / "b.tgz", archive.read_bytes())
    put(tmp_path / "out" / "b" / "mine.txt", "mine")
    with pytest.raises(DataError, match="exists already"):
        unpack(tmp_path / "b.tgz", tmp_path / "out")
    assert (tmp_path / "out" / "b" / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize("stop", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_a_stop_leaves_no_folder_and_the_next_call_goes_on(folder, tmp_path, monkeypatch, stop):
    archive, write, written = pack(folder, tmp_path / "a.tgz"), unpacking._write, []

    def stopping(data, target, size):
        if len(written) == 2:
            raise stop
        written.append(target.name)
        write(data, target, size)

    with monkeypatch.context() as patch:
        patch.setattr(unpacking, "_write", stopping)
        with pytest.raises((KeyboardInterrupt, DataError)):
            unpack(archive, tmp_path / "out")
    assert not (tmp_path / "out" / "a").exists()
    (aside,) = (tmp_path / "out").iterdir()
    times = {path.name: path.stat().st_mtime_ns for path in aside.rglob("*") if path.is_file()}
    assert len(times) == 2
    out = unpack(archive, tmp_path / "out")
    assert files(out / "corpus") == files(folder)
    assert times.items() <= {path.name: path.stat().st_mtime_ns for path in out.rglob("*")}.items()


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
@pytest.mark.parametrize("ending", [".tgz", ".tar", ".zip"])
def test_an_archive_cut_short_is_an_error_and_leaves_nothing(tmp_path, share, ending):
    archive = tmp_path / f"a{ending}"
    noise = os.urandom(50_000)
    if ending == ".zip":
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("a/b.wav", noise)
    else:
        tar(archive, ("a/b.wav", noise), mode="w:gz" if ending == ".tgz" else "w")
    whole = archive.read_bytes()
    archive.write_bytes(whole[: int(share * len(whole))])
    if ending == ".tar" and share == 0.99:
        pytest.skip("a tar's end is zeros, which may be missing")
    with pytest.raises(DataError, match="damaged, cut short, or no archive"):
        unpack(archive, tmp_path / "out")
    assert os.listdir(tmp_path / "out") == []


def test_a_zip_with_a_wrong_sum_is_damaged(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr("a/b.wav", b"sound" * 100)
    content = (tmp_path / "a.zip").read_bytes()
    (tmp_path / "a.zip").write_bytes(content.replace(b"soundsound", b"sounDsound", 1))
    with pytest.raises(DataError, match="damaged"):
        unpack(tmp_path / "a.zip", tmp_path / "out")


HOSTILE = {
    "up": [("../evil.txt", b"x")],
    "deep": [("a/../../evil.txt", b"x")],
    "link": [("a", link("/etc")), ("a/evil.txt", b"x")],
    "relative-link": [("a", link("../..")), ("a/evil.txt", b"x")],
    "hard-link": [("a", link("../secret", tarfile.LNKTYPE))],
    "device": [("null", lambda info: setattr(info, "type", tarfile.CHRTYPE))],
    "pipe": [("pipe", lambda info: setattr(info, "type", tarfile.FIFOTYPE))],
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_tar_is_refused(tmp_path, kind):
    put(tmp_path / "in" / "secret", "mine")
    archive = tar(tmp_path / "in" / "a.tgz", ("good.txt", b"x"), *HOSTILE[kind])
    with pytest.raises(DataError, match="refused"):
        unpack(archive, tmp_path / "in" / "out")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.tgz", "in", "out", "secret"]


def test_absolute_paths_and_rights_of_a_tar_are_tamed(tmp_path):
    def wild(info):
        info.mode, info.type = 0o7777, tarfile.REGTYPE

    out = unpack(tar(tmp_path / "a.tar", ("/etc/evil.txt", b"x"), ("wild", wild), mode="w"), tmp_path / "out")
    assert (out / "etc" / "evil.txt").read_bytes() == b"x"
    assert not (out / "wild").stat().st_mode & (stat.S_ISUID | stat.S_ISGID)


@pytest.mark.parametrize("name", ["../evil.txt", "/evil.txt", "a\\..\\..\\evil.txt", "C:\\evil.txt"])
def test_a_hostile_zip_is_refused(tmp_path, name):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr(name, "x")
    with pytest.raises(DataError, match="refused"):
        unpack(tmp_path / "a.zip", tmp_path / "out")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.zip", "out"]


def test_an_archive_that_grows_without_measure_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(unpacking, "_limit", lambda archive: 100_000)
    for path in (tmp_path / "a.zip", tmp_path / "b.tgz"):
        if path.suffix == ".zip":
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
                file.writestr("a", bytes(200_000))
        else:
            tar(path, ("a", bytes(200_000)))
        with pytest.raises(DataError, match="too much for its size"):
            unpack(path, tmp_path / "out")


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_links_within_the_archive_stay(tmp_path):
    members = [("data/sph/a.sph", b"x"), ("legacy/train/sph", link("../../data/sph"))]
    out = unpack(tar(tmp_path / "a.tgz", *members), tmp_path / "out")
    assert (out / "legacy" / "train" / "sph" / "a.sph").read_bytes() == b"x"


def test_missing_and_foreign_files(tmp_path):
    with pytest.raises(DataError, match="no such archive"):
        unpack(tmp_path / "gone.tgz", tmp_path)
    with pytest.raises(DataError, match="no archive"):
        unpack(put(tmp_path / "a.tgz", "a letter"), tmp_path / "out")
    with pytest.raises(DataError, match="cannot be unpacked"):
        unpack(tar(tmp_path / "b.tgz", ("a", b"x")), tmp_path / "a.tgz")
