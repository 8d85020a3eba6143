"""Fixtures: an HTTP server with prepared answers, and a function that runs the command line against it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from typer.testing import CliRunner, Result

from deltastream_cli.main import app

Reply = tuple[int, Any, dict[str, str]]


class Prepared:
    """A gateway that gives prepared answers, for answers that a real system gives only when it is broken."""

    def __init__(self) -> None:
        self.routes: dict[str, Any] = {}
        self.seen: list[tuple[str, dict[str, str], str | None]] = []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                query = {name: values[0] for name, values in parse_qs(parts.query).items()}
                owner.seen.append((parts.path, query, self.headers["Authorization"]))
                self.answer(parts.path, query)

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                owner.seen.append((self.path, {}, None))
                self.answer(self.path, {})

            def answer(self, path: str, query: dict[str, str]) -> None:
                prepared = owner.routes.get(path, (404, {"detail": "no such route"}))
                status, body, *headers = prepared(query) if callable(prepared) else prepared
                content = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                for name, value in (headers[0] if headers else {}).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def prepared() -> Iterator[Prepared]:
    server = Prepared()
    yield server
    server.close()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The folder that takes the place of ~/.config."""
    return tmp_path / "config"


@pytest.fixture
def run(prepared: Prepared, config: Path) -> Callable[..., Result]:
    """Run a command against the prepared server."""
    environment = {"DELTASTREAM_URL": prepared.url, "XDG_CONFIG_HOME": str(config)}
    return lambda *arguments, **options: CliRunner().invoke(app, arguments, env=environment, **options)
