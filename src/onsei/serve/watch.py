"""``onsei watch RUN``: live curves of training runs, on a page of this machine or in one file."""

from __future__ import annotations

import json
import math
import os
import socket
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from onsei.config import Positional, flag, options
from onsei.errors import RunError
from onsei.paths import write_text

if TYPE_CHECKING:
    from fastapi import FastAPI

    from onsei.serve.curves import RunLog

HOST = "127.0.0.1"
_HOSTS = ("127.0.0.1", "localhost")
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; img-src data:"
_DATA = "<!--data-->"


@options
class Watch:
    """Show the curves of training runs while they go. Nothing leaves this machine."""

    runs: Positional[tuple[Path, ...]]
    """Run folders, or folders of run folders."""
    port: Annotated[int, flag("-p")] = 8770
    """Port on 127.0.0.1; 0 takes a free one."""
    once: Path | None = None
    """Write a page with the curves as they are to this file, and end."""


def watch(options: Watch) -> None:
    """Serve the page until interrupted, or write it once.

    Raises:
        RunError: a folder holds no run, or the port is taken.
    """
    logs = find_runs(options.runs)
    if options.once is not None:
        write_text(options.once, static_page(logs))
        print(f"wrote {options.once}")
        return
    import uvicorn

    listener = _listen(options.port)
    print(f"watching {', '.join(str(log.folder) for log in logs)}")
    print(f"  http://{HOST}:{listener.getsockname()[1]}   (Ctrl-C ends it; the runs go on)", flush=True)
    server = uvicorn.Server(uvicorn.Config(make_app(logs), log_level="warning", access_log=False))
    server.run(sockets=[listener])


def find_runs(folders: Sequence[Path]) -> list[RunLog]:
    """The runs in ``folders``: each is one, or holds some. A run that has not written yet is one by its config.yaml.

    Raises:
        RunError: a folder is missing or holds no run.
    """
    from onsei.serve.curves import RunLog

    found: list[Path] = []
    for folder in folders:
        if not folder.is_dir():
            raise RunError(f"{folder}: no such run folder", "name the --output-dir of a training")
        runs = [place for place in (folder, *sorted(folder.iterdir())) if _is_run(place)]
        if not runs:
            raise RunError(
                f"{folder}: no run: neither metrics.jsonl nor config.yaml", "name the --output-dir of a training"
            )
        found += runs[:1] if runs[0] == folder else runs
    if not found:
        raise RunError("no run named", "give the --output-dir of a training: onsei watch RUN")
    found = list(dict.fromkeys(found))
    names = [folder.resolve().name for folder in found]
    return [
        RunLog(folder, name if names.count(name) == 1 else f"{folder.resolve().parent.name}/{name}")
        for folder, name in zip(found, names, strict=True)
    ]


def make_app(logs: Sequence[RunLog]) -> FastAPI:
    """The page and its data. Requests under another host's name (DNS rebinding) are refused."""
    from fastapi import FastAPI, Request, Response
    from fastapi.middleware.trustedhost import TrustedHostMiddleware

    app = FastAPI(title="onsei watch", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(_HOSTS), www_redirect=False)
    headers = {
        "Content-Security-Policy": _POLICY,
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-origin",
    }

    def page(_: Request) -> Response:
        return Response(_template(), media_type="text/html; charset=utf-8", headers=headers)

    def runs(request: Request) -> Response:
        """All runs; those whose version the reader has (``?0=7&1=3``) without their curves."""
        found = [log.snapshot() for log in logs]
        for number, run in enumerate(found):
            if request.query_params.get(str(number)) == str(run["version"]):
                del run["curves"]
        return Response(_json(found), media_type="application/json", headers=headers)

    app.add_route("/", page)
    app.add_route("/runs", runs)
    return app


def static_page(logs: Sequence[RunLog]) -> str:
    """The page with the runs as they are now inside."""
    data = _json([log.snapshot() for log in logs]).replace("<", "\\u003c")
    return _template().replace(_DATA, f'<script type="application/json" id="data">{data}</script>')


def _template() -> str:
    return files("onsei.serve").joinpath("watch.html").read_text(encoding="utf-8")


def _is_run(folder: Path) -> bool:
    return any((folder / name).is_file() for name in ("metrics.jsonl", "config.yaml"))


def _json(value: Any) -> str:
    return json.dumps(_finite(value), ensure_ascii=False, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list) else value


def _listen(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if os.name == "posix":  # elsewhere this would let two servers share the port
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen()
    except (OSError, OverflowError) as error:
        listener.close()
        raise RunError(
            f"port {port} on {HOST} cannot be used ({error})", "choose another: --port 0 takes a free one"
        ) from None
    return listener
