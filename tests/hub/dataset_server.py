"""A Hub of one's own on this machine that has datasets."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

from tests.serving import running


class DatasetServer(ThreadingHTTPServer):
    """Serves datasets that are put; keeps what was asked of it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.datasets: dict[str, dict[str, bytes]] = {}
        self.asked: list[str] = []
        self.tokens: set[tuple[str, str]] = set()
        """Paths and what they were asked with."""
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def put(self, name: str, files: dict[str, bytes]) -> None:
        self.datasets[name] = files


class _Handler(BaseHTTPRequestHandler):
    server: DatasetServer

    def log_message(self, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        path = unquote(self.path.partition("?")[0])
        self.server.asked.append(path)
        self.server.tokens.add((path, self.headers.get("Authorization", "")))
        for name, files in self.server.datasets.items():
            if path.startswith(f"/api/datasets/{name}/tree/main"):
                return self._answer(200, json.dumps([_entry(*file) for file in files.items()]).encode())
            content = files.get(path.removeprefix(f"/datasets/{name}/resolve/main/"))
            if content is not None:
                return self._answer(200, content)
        return self._answer(404, b"{}", {"X-Error-Code": "RepoNotFound"})

    def _answer(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for key, value in ({"Content-Length": str(len(content))} | (headers or {})).items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(content)


def _entry(name: str, content: bytes) -> dict[str, object]:
    large = {"oid": hashlib.sha256(content).hexdigest(), "size": len(content), "pointerSize": 100}
    return {"type": "file", "path": name, "size": len(content), "oid": "a" * 40, "lfs": large}


@contextmanager
def serving() -> Iterator[DatasetServer]:
    with running(DatasetServer()) as server:
        yield server
