"""Downloads from a server on this machine: whole, resumed, checked, refused."""

import errno
import hashlib
import shutil
from collections import namedtuple

import numpy as np
import pytest

from onsei.data.download import ATTEMPTS, Remote, download, listing
from onsei.data.download import resumed as downloads
from onsei.errors import DataError
from tests.data.file_server import serving

CONTENT = np.random.default_rng(0).bytes(3_000_000)
SHA = "sha256:" + hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server():
    with serving({"/音/a.tar.gz".encode().decode("latin-1"): CONTENT, "/a.tar.gz": CONTENT}) as running:
        yield running


@pytest.fixture
def waits():
    return []


@pytest.fixture
def fetch(server, tmp_path, waits):
    def fetching(digest=SHA, path="/a.tar.gz"):
        return download(Remote(server.url + path, digest), tmp_path / "down", pause=waits.append)

    return fetching


def left(folder):
    return sorted(path.name for path in (folder / "down").iterdir())


def test_a_file_comes_whole_and_is_not_fetched_again(fetch, server, tmp_path):
    assert fetch().read_bytes() == CONTENT
    assert fetch() == tmp_path / "down" / "a.tar.gz"
    assert server.asked == ["/a.tar.gz"]
    assert left(tmp_path) == ["a.tar.gz"]


def test_md5_and_no_checksum_at_all(fetch, tmp_path):
    assert fetch("md5:" + hashlib.md5(CONTENT).hexdigest()).exists()
    (tmp_path / "down" / "a.tar.gz").unlink()
    assert fetch("").read_bytes() == CONTENT


def test_a_download_that_breaks_off_goes_on_where_it_stopped(fetch, server, waits):
    server.breaks = [1_000_000, 500_000]
    assert fetch().read_bytes() == CONTENT
    assert server.asked == ["/a.tar.gz", "/a.tar.gz bytes=1000000-", "/a.tar.gz bytes=1500000-"]
    assert waits == [1.0, 1.0]


def test_a_download_given_up_goes_on_in_the_next_call(fetch, server, tmp_path, waits):
    server.breaks = [1_000_000, *[0] * (ATTEMPTS - 1)]
    with pytest.raises(DataError, match=r"1\.0 MiB are kept"):
        fetch()
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0]
    assert left(tmp_path) == ["a.tar.gz.part", "a.tar.gz.part.json"]
    assert fetch().read_bytes() == CONTENT
    assert server.asked[-1] == "/a.tar.gz bytes=1000000-"
    assert left(tmp_path) == ["a.tar.gz"]


def test_a_server_that_ignores_ranges_sends_all_anew(fetch, server):
    server.ranges, server.breaks = False, [1_000_000]
    assert fetch().read_bytes() == CONTENT
    assert server.asked[-1] == "/a.tar.gz bytes=1000000-"


def test_a_file_that_changed_meanwhile_begins_anew(fetch, server):
    server.breaks = [1_000_000, *[0] * (ATTEMPTS - 1)]
    with pytest.raises(DataError):
        fetch()
    server.tag, server.files["/a.tar.gz"] = '"second"', CONTENT[::-1]
    with pytest.raises(DataError, match="expected"):
        fetch()
    server.files["/a.tar.gz"] = CONTENT
    assert fetch().read_bytes() == CONTENT


@pytest.mark.parametrize(("digest", "rest"), [(SHA, " bytes=1000000-"), ("", "")])
def test_without_a_tag_a_checksum_is_needed_to_go_on(fetch, server, digest, rest):
    server.tag, server.breaks = "", [1_000_000]
    assert fetch(digest).read_bytes() == CONTENT
    assert server.asked[-1] == f"/a.tar.gz{rest}"


def test_another_server_goes_on_with_a_file_of_known_checksum(fetch, server, tmp_path):
    server.breaks = [1_000_000, *[0] * (ATTEMPTS - 1)]
    with pytest.raises(DataError):
        fetch()
    server.files["/mirror/a.tar.gz"] = CONTENT
    assert fetch(path="/mirror/a.tar.gz").read_bytes() == CONTENT
    assert server.asked[-1] == "/mirror/a.tar.gz bytes=1000000-"


def test_all_is_there_but_the_name(fetch, server, tmp_path):
    server.breaks = [1_000_000, *[0] * (ATTEMPTS - 1)]
    with pytest.raises(DataError):
        fetch()
    (tmp_path / "down" / "a.tar.gz.part").write_bytes(CONTENT)
    assert fetch().read_bytes() == CONTENT
    assert left(tmp_path) == ["a.tar.gz"]


def test_a_part_longer_than_the_file_begins_anew(fetch, server, tmp_path):
    server.breaks = [1_000_000, *[0] * (ATTEMPTS - 1)]
    with pytest.raises(DataError):
        fetch()
    (tmp_path / "down" / "a.tar.gz.part").write_bytes(CONTENT + b"x")
    assert fetch().read_bytes() == CONTENT


def test_a_server_that_tells_no_length(fetch, server):
    server.sizes = False
    assert fetch().read_bytes() == CONTENT


def test_a_wrong_checksum_is_an_error_and_what_came_is_removed(fetch, tmp_path):
    with pytest.raises(DataError, match="what came was removed"):
        fetch("sha256:" + "0" * 64)
    assert left(tmp_path) == []


def test_a_file_of_the_user_with_another_content_stays(fetch, server, tmp_path):
    (tmp_path / "down").mkdir()
    (tmp_path / "down" / "a.tar.gz").write_text("mine")
    with pytest.raises(DataError, match="not the file of"):
        fetch()
    assert (tmp_path / "down" / "a.tar.gz").read_text() == "mine"
    assert server.asked == []


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_refusal_is_told_at_once(fetch, server, waits, status):
    server.statuses = [status]
    with pytest.raises(DataError, match=f"answers {status}"):
        fetch()
    assert waits == []


def test_a_busy_server_is_asked_again(fetch, server, waits):
    server.statuses = [503, 429]
    assert fetch().read_bytes() == CONTENT
    assert waits == [1.0, 2.0]


def test_no_server_at_all(tmp_path, waits):
    with serving({}) as gone:
        url = gone.url
    with pytest.raises(DataError, match="ConnectError"):
        download(Remote(f"{url}/a.tgz"), tmp_path, pause=waits.append)
    assert len(waits) == ATTEMPTS - 1


@pytest.mark.parametrize("url", ["ftp://a/b.tgz", "file:///etc/passwd", "http://host/", "nothing"])
def test_an_address_of_no_file_is_refused(tmp_path, url):
    with pytest.raises(DataError, match="expected an http"):
        download(Remote(url), tmp_path)


def test_a_folder_that_cannot_be(server, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"):
        download(Remote(f"{server.url}/a.tar.gz"), tmp_path / "file" / "below")
    assert server.asked == []


def test_a_full_disk_is_told_before_anything_is_written(fetch, monkeypatch, tmp_path):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**6, 10**6, 1000))
    with pytest.raises(DataError, match="3 MiB are needed") as stopped:
        fetch()
    assert "free room" in stopped.value.mend


def test_a_disk_that_fills_up_keeps_what_came(fetch, monkeypatch, server, tmp_path):
    write = downloads._Part.begin

    def full(part, *words):
        write(part, *words)
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(downloads._Part, "begin", full)
        with pytest.raises(DataError, match="No space left"):
            fetch()
    assert fetch().read_bytes() == CONTENT


def test_a_page_of_links(server):
    page = b'<a href="b.tgz">b</a><a href="/other/c.tgz">c</a><a href="b.tgz">again</a><a href="x.html">x</a><a>n</a>'
    server.files |= {"/list/": page, "/empty/": b"<html>"}
    assert listing(f"{server.url}/list/", ".tgz") == [f"{server.url}/list/b.tgz", f"{server.url}/other/c.tgz"]
    with pytest.raises(DataError, match=r"links to no \.tgz"):
        listing(f"{server.url}/empty/", ".tgz")
    with pytest.raises(DataError, match="answers 404"):
        listing(f"{server.url}/gone/", ".tgz")
