"""A Hub on this machine that can be written to: repositories are made, filled by commits, and read again."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

from tests.serving import running

GOOD, READ_ONLY = "hf_good", "hf_read"
"""Tokens: one may write to ``user``, one may only read; others are unknown."""


class Repository:
    """Files by name, whether only its owner sees it, and messages of its commits."""

    def __init__(self, private: bool) -> None:
        self.private = private
        self.files: dict[str, bytes] = {}
        self.messages: list[str] = []

    @property
    def sha(self) -> str:
        return hashlib.sha1(repr((len(self.messages), sorted(self.files))).encode()).hexdigest()


class WritableHub(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.repositories: dict[str, Repository] = {}
        self.stored: dict[str, bytes] = {}
        self.broken: str = ""
        """Part of a path that is answered with status 501."""


class _Handler(BaseHTTPRequestHandler):
    server: WritableHub

    def log_message(self, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = self.path.partition("?")[0]
        if self.server.broken and self.server.broken in path:
            self._answer(501)
        elif path == "/api/validate-yaml":
            self._answer(200, {"errors": [], "warnings": []})
        elif self._token() not in (GOOD, READ_ONLY):
            self._answer(401, {"error": "Invalid username or password."})
        elif path == "/api/repos/create":
            self._create(json.loads(body))
        elif self._token() == READ_ONLY:
            self._answer(403, {"error": "Forbidden: you must use a write token"})
        elif path.endswith("/info/lfs/objects/batch"):
            objects = [self._place(one) for one in json.loads(body)["objects"]]
            self._answer(200, {"transfer": "basic", "objects": objects})
        elif "/preupload/" in path:
            files = json.loads(body)["files"]
            modes = [{"path": f["path"], "uploadMode": _mode(f["path"]), "shouldIgnore": False} for f in files]
            self._answer(200, {"files": modes})
        elif "/commit/" in path:
            self._commit(path, body)
        else:
            self._answer(404)

    def do_PUT(self) -> None:
        name = self.path.rpartition("/")[2]
        content = self.rfile.read(int(self.headers["Content-Length"]))
        assert hashlib.sha256(content).hexdigest() == name
        self.server.stored[name] = content
        self._answer(200)

    def do_GET(self) -> None:
        path = unquote(self.path.partition("?")[0])
        parts = path.removeprefix("/api/models").strip("/").split("/")
        found = self.server.repositories.get("/".join(parts[:2]))
        if found is None or (found.private and self._token() != GOOD):
            self._answer(401, headers={"X-Error-Code": "RepoNotFound"})
        elif path.startswith("/api/models") and "tree" in parts:
            self._answer(200, [_entry(name, content) for name, content in found.files.items()])
        elif path.startswith("/api/models"):
            siblings = [{"rfilename": name} for name in found.files]
            about = {"id": "/".join(parts[:2]), "sha": found.sha, "private": found.private, "siblings": siblings}
            self._answer(200, {**about, "pipeline_tag": "audio-classification", "tags": []})
        elif (name := "/".join(parts[4:])) in found.files:
            content = found.files[name]
            tag = hashlib.sha1(content).hexdigest()
            self._answer(200, content, {"ETag": f'"{tag}"', "X-Repo-Commit": found.sha})
        else:
            self._answer(404, headers={"X-Error-Code": "EntryNotFound"})

    def _create(self, wanted: dict[str, object]) -> None:
        user, _, name = str(wanted.get("name")).rpartition("/")
        user = str(wanted.get("organization") or user or "user")
        repo = f"{user}/{name}"
        if user != "user" or self._token() == READ_ONLY:
            self._answer(403, {"error": "You don't have the rights to create a model under this namespace"})
        elif repo in self.server.repositories:
            self._answer(409, {"error": "You already created this model repo", "url": f"{self.server.url}/{repo}"})
        else:
            private = bool(wanted.get("private")) or wanted.get("visibility") == "private"  # older and newer libraries
            self.server.repositories[repo] = Repository(private)
            self._answer(200, {"url": f"{self.server.url}/{repo}", "name": repo, "id": "1"})

    def _place(self, one: dict[str, object]) -> dict[str, object]:
        target = {"href": f"{self.server.url}/lfs/{one['oid']}"}
        return {"oid": one["oid"], "size": one["size"], "actions": {"upload": target}}

    def _commit(self, path: str, body: bytes) -> None:
        repo = "/".join(path.removeprefix("/api/models/").split("/")[:2])
        found = self.server.repositories[repo]
        for line in body.decode().splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "header":
                found.messages.append(value["summary"])
            elif entry["key"] == "file":
                found.files[value["path"]] = base64.b64decode(value["content"])
            else:
                assert entry["key"] == "lfsFile", entry["key"]
                found.files[value["path"]] = self.server.stored[value["oid"]]
        url = f"{self.server.url}/{repo}"
        self._answer(200, {"success": True, "commitOid": found.sha, "commitUrl": f"{url}/commit/{found.sha}"})

    def _token(self) -> str:
        return self.headers.get("Authorization", "").removeprefix("Bearer ")

    def _answer(self, status: int, content: object = b"", headers: dict[str, str] | None = None) -> None:
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        more = {} if isinstance(content, bytes) else {"Content-Type": "application/json"}
        for key, value in ({"Content-Length": str(len(raw))} | more | (headers or {})).items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(raw)


def _mode(name: str) -> str:
    return "lfs" if name.endswith(".safetensors") else "regular"


def _entry(name: str, content: bytes) -> dict[str, object]:
    return {"type": "file", "path": name, "size": len(content), "oid": hashlib.sha1(content).hexdigest()}


@contextmanager
def writable() -> Iterator[WritableHub]:
    with running(WritableHub()) as server:
        yield server
