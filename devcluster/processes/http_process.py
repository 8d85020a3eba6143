"""A service as a process that answers HTTP on a port of its own."""

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
    """Python in a service's folder, with no environment but its settings; killed at the end of `with`."""

    def __init__(self, command: Sequence[str], service: Path, log: Path, **settings: str) -> None:
        self.port, self.log = free_port(), log
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
        """Status and body; 0 while nobody answers."""
        return self._call(urllib.request.Request(self.url + path, headers=headers))

    def post(self, path: str, body: Any) -> tuple[int, str]:
        """The same, with `body` sent as JSON."""
        headers = {"Content-Type": "application/json"}
        return self._call(urllib.request.Request(self.url + path, json.dumps(body).encode(), headers))

    def lives(self) -> bool:
        """Whether it answers."""
        return self.get("/livez")[0] == 200

    def ready(self) -> bool:
        """Whether it takes requests and so do those that it needs."""
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
    """A Flask service as its image runs it."""
    return HttpProcess(["-m", "gunicorn", "-c", "gunicorn.conf.py", "app:app"], service, log, **settings)
