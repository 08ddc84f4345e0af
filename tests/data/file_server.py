"""A server of files on this machine that can break off, ignore ranges, refuse, and change what it serves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.serving import running


class FileServer(ThreadingHTTPServer):
    """Serves ``files`` by path; keeps the ranges that were asked for."""

    daemon_threads = True

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = files
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.asked: list[str] = []
        """``PATH RANGE`` of every request."""
        self.tag = '"first"'
        self.ranges = True
        self.sizes = True
        """Whether it tells lengths."""
        self.breaks: list[int] = []
        """After how many bytes each of the next answers breaks off."""
        self.statuses: list[int] = []
        """What the next requests are answered with, before anything else."""


class _Handler(BaseHTTPRequestHandler):
    server: FileServer

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        wanted = self.headers.get("Range", "")
        self.server.asked.append(f"{self.path} {wanted}".strip())
        content = self.server.files.get(self.path)
        if self.server.statuses or content is None:
            self.send_response(self.server.statuses.pop(0) if self.server.statuses else 404)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        start = 0
        if wanted and self.server.ranges and self.headers.get("If-Range", self.server.tag) == self.server.tag:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if start and start >= len(content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(content)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if self.server.sizes:
            self.send_header("Content-Length", str(len(content) - start))
        if self.server.tag:
            self.send_header("ETag", self.server.tag)
        self.end_headers()
        end = start + self.server.breaks.pop(0) if self.server.breaks else len(content)
        self.wfile.write(content[start:end])
        self.close_connection = True


@contextmanager
def serving(files: dict[str, bytes]) -> Iterator[FileServer]:
    with running(FileServer(files)) as server:
        yield server
