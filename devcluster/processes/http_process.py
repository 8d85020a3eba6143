"""Run a service as a process with an HTTP server on loopback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from devcluster.ports import free_port


class HttpProcess:
    """A Python process in a service's folder. It is killed at the end of `with`.

    Its environment is PATH, HOME, PORT (a free port, unless given) and the given settings.
    """

    def __init__(self, command: Sequence[str], service: Path, log: Path, **settings: str) -> None:
        self.port, self.log = int(settings.get("PORT") or free_port()), log
        self.url = f"http://127.0.0.1:{self.port}"
        inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        with open(log, "wb") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, *command],
                cwd=service,
                env={**inherited, "PORT": str(self.port), **settings},
                stderr=stderr,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    def get(self, path: str, **headers: str) -> tuple[int, str]:
        """Send a GET request. Returns status and body; status 0 if the process does not respond."""
        return self._call(urllib.request.Request(self.url + path, headers=headers))

    def post(self, path: str, body: Any) -> tuple[int, str]:
        """Send `body` as JSON. Returns status and body; status 0 if the process does not respond."""
        headers = {"Content-Type": "application/json"}
        return self._call(urllib.request.Request(self.url + path, json.dumps(body).encode(), headers))

    def lives(self) -> bool:
        """Return whether the process is live."""
        return self.get("/livez")[0] == 200

    def ready(self) -> bool:
        """Return whether the process and the services that it needs accept requests."""
        return self.get("/readyz")[0] == 200

    def _call(self, request: urllib.request.Request) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            return 0, ""


def gunicorn(service: Path, log: Path, **settings: str) -> HttpProcess:
    """Start a Flask service with gunicorn, as its image does."""
    return HttpProcess(["-m", "gunicorn", "-c", "gunicorn.conf.py", "app:app"], service, log, **settings)
