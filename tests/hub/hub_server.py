"""A Hub of one's own on this machine: one model behind the doors 200, 401, 403, 404, 503."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.serving import running

SHA = "a" * 40
REFUSALS = {
    "user/private": (401, "RepoNotFound"),
    "user/gated": (403, "GatedRepo"),
    "user/forbidden": (403, ""),
    "user/gone": (404, "RepoNotFound"),
    "user/broken": (501, ""),
}


class HubServer(ThreadingHTTPServer):
    """Serves ``files`` as the model ``user/model``; keeps what was asked of it."""

    daemon_threads = True

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = files
        self.asked: list[str] = []
        self.tokens: set[str] = set()
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: HubServer

    def log_message(self, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.server.asked.append(path)
        self.server.tokens.add(self.headers.get("Authorization", ""))
        repo = "/".join(path.removeprefix("/api/models").strip("/").split("/")[:2])
        if repo in REFUSALS:
            self._answer(REFUSALS[repo][0], b"{}", {"X-Error-Code": REFUSALS[repo][1]})
        elif path == "/api/models/user/model/revision/nowhere":
            self._answer(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
        elif path.startswith("/api/models/user/model/tree/"):
            self._answer(200, json.dumps([self._entry(n, c) for n, c in self.server.files.items()]).encode())
        elif path.startswith("/api/models/user/model"):
            siblings = [{"rfilename": name} for name in self.server.files]
            self._answer(200, json.dumps({"id": "user/model", "sha": SHA, "siblings": siblings}).encode())
        elif (name := path.removeprefix(f"/user/model/resolve/{SHA}/")) in self.server.files:
            content = self.server.files[name]
            tag = hashlib.sha1(content).hexdigest()
            self._answer(200, content, {"ETag": f'"{tag}"', "X-Repo-Commit": SHA})
        else:
            self._answer(404, b"{}", {"X-Error-Code": "EntryNotFound"})

    def _entry(self, name: str, content: bytes) -> dict[str, object]:
        return {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}

    def _answer(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for key, value in ({"Content-Length": str(len(content))} | (headers or {})).items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)


@contextmanager
def serving(files: dict[str, bytes]) -> Iterator[HubServer]:
    with running(HubServer(files)) as server:
        yield server
