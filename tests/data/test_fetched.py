"""Sounds at addresses: within limits of bytes, time and place, and never a page."""

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from onsei.data.download import Limits, fetched, guarded, is_address, is_public
from onsei.errors import DataError

SOUND = b"RIFF" + bytes(200_000)


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        self.server.asked.append((self.path, self.headers["Host"]))
        status, headers, content = self.server.answers.get(self.path, (404, {}, b""))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            for block in [content] if isinstance(content, bytes) else content:
                self.wfile.write(block)
        except OSError:  # the client has had enough
            self.server.left.set()


@pytest.fixture
def server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.answers, server.asked, server.left = {}, [], threading.Event()
    server.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def refused(url, *words, **limits):
    with pytest.raises(DataError) as stopped, fetched(url, Limits(**limits)):
        pass
    for word in words:
        assert word in str(stopped.value)


def test_a_sound_comes_whole_and_goes_afterwards(server):
    server.answers["/a%20b.wav"] = (200, {"Content-Length": str(len(SOUND))}, SOUND)
    with fetched(f"{server.url}/a%20b.wav") as path:
        assert path.read_bytes() == SOUND
        assert path.name == "a_b.wav"
    assert not path.exists()


@pytest.mark.parametrize("status", [401, 403, 404, 500, 204])
def test_a_refusal_is_told_by_its_number(server, status):
    server.answers["/a.wav"] = (status, {}, b"")
    refused(f"{server.url}/a.wav", str(status))


@pytest.mark.parametrize(
    ("headers", "content"),
    [
        ({"Content-Type": "text/html; charset=utf-8"}, SOUND),
        ({"Content-Type": "audio/wav"}, b"\r\n <!DOCTYPE html><title>no</title>"),
        ({}, b"<html><body>login</body></html>"),
    ],
)
def test_a_page_is_no_sound(server, headers, content):
    server.answers["/a.wav"] = (200, headers, content)
    refused(f"{server.url}/a.wav", "a page")


def test_ten_gigabytes_are_refused_by_what_the_server_says(server):
    server.answers["/a.wav"] = (200, {"Content-Length": str(10 * 2**30)}, b"")
    refused(f"{server.url}/a.wav", "10240 MiB", "512 MiB")


def test_an_endless_answer_is_cut_off(server):
    def endless():
        while True:
            yield bytes(100_000)

    server.answers["/a.wav"] = (200, {}, endless())
    refused(f"{server.url}/a.wav", "1 MiB", size=2**20)
    assert server.left.wait(10)


def test_a_packed_answer_is_refused(server):
    server.answers["/a.wav"] = (200, {"Content-Encoding": "gzip"}, b"\x1f\x8b" + bytes(100))
    refused(f"{server.url}/a.wav", "gzip")


def test_an_answer_that_drips_ends_with_the_time(server):
    gone = threading.Event()

    def drip():
        while not gone.wait(0.01):
            yield b"x"

    server.answers["/a.wav"] = (200, {}, drip())
    refused(f"{server.url}/a.wav", "0.2 s", "--timeout", seconds=0.2)
    gone.set()


def test_nothing_at_all_is_refused(server):
    server.answers["/a.wav"] = (200, {"Content-Length": "0"}, b"")
    refused(f"{server.url}/a.wav", "nothing came")


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.org/a.wav", "http:///a.wav", "gopher://a"])
def test_only_http_is_asked(url):
    refused(url, "http")


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.1:{port}/sound.wav",
        "/sound.wav",
        "http://localhost:{port}/sound.wav",
        "http://[::1]:{port}/sound.wav",
        "http://10.0.0.7/sound.wav",
        "http://169.254.169.254/latest/meta-data",
        "http://[::ffff:192.168.0.1]/a.wav",
        "http://0x7f000001:{port}/sound.wav",
        "file:///etc/passwd",
    ],
)
def test_a_redirect_never_leads_to_this_machine_or_a_private_network(server, target):
    port = server.server_address[1]
    server.answers["/sound.wav"] = (200, {}, SOUND)
    server.answers["/a.wav"] = (302, {"Location": target.format(port=port)}, b"")
    refused(f"{server.url}/a.wav", "redirect")
    assert [path for path, _ in server.asked] == ["/a.wav"], "nothing was asked there"


def test_a_name_that_leads_to_this_machine_is_refused(monkeypatch):
    answer = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: answer)
    refused("http://sounds.example.org/a.wav", "sounds.example.org", "127.0.0.1")


def test_one_private_address_among_public_ones_is_enough(monkeypatch):
    answer = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 80)) for ip in ("8.8.8.8", "10.1.2.3")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: answer)
    refused("http://sounds.example.org/a.wav", "10.1.2.3")


def test_the_connection_goes_to_the_address_that_was_checked(server, monkeypatch):
    """A name is resolved once: what it means a moment later does not matter."""
    port = server.server_address[1]
    asked = []

    def resolve(host, *args, **kwargs):
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    server.answers["/a.wav"] = (200, {}, SOUND)
    monkeypatch.setattr(guarded, "is_public", lambda address: True)
    monkeypatch.setattr(guarded.socket, "getaddrinfo", resolve)
    with fetched(f"http://sounds.example.org:{port}/a.wav") as path:
        assert path.read_bytes() == SOUND
    assert asked[0] == "sounds.example.org"
    assert set(asked[1:]) <= {"127.0.0.1"}
    assert server.asked == [("/a.wav", f"sounds.example.org:{port}")], "the server is asked by its name"


def test_redirects_are_followed_on_the_open_internet_but_not_for_ever(server, monkeypatch):
    monkeypatch.setattr(guarded, "is_public", lambda address: True)
    server.answers["/sound.wav"] = (200, {}, SOUND)
    server.answers["/a.wav"] = (302, {"Location": "/sound.wav"}, b"")
    server.answers["/round"] = (302, {"Location": "/round"}, b"")
    with fetched(f"{server.url}/a.wav") as path:
        assert path.read_bytes() == SOUND
    refused(f"{server.url}/round", "redirects")


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700:4700::1111", True),
        ("127.0.0.1", False),
        ("10.0.0.1", False),
        ("172.16.5.5", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1%eth0", False),
        ("fc00::1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:8.8.8.8", True),
        ("64:ff9b::7f00:1", False),
        ("2002:7f00:1::", False),
    ],
)
def test_which_addresses_are_public(address, public):
    assert is_public(address) == public


@pytest.mark.parametrize(
    ("text", "address"), [("http://a/b", True), ("FILE:///x", True), ("a.wav", False), ("C:\\a", False), ("-", False)]
)
def test_what_is_an_address(text, address):
    assert is_address(text) == address
