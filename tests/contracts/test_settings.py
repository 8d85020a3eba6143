"""Every service loads its settings the same way: it reports all problems at once and exits with code 2."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

SERVICES = Path(__file__).parents[2] / "services"
GUNICORN = ("-m", "gunicorn", "-c", "gunicorn.conf.py", "app:app")
JWT = "q3t6w9z$C&F)J@NcRfUjXn2r5u7x!A%D"


class Start(NamedTuple):
    """How to start a service, its required settings, and one of its secrets."""

    argv: tuple[str, ...]
    needed: Mapping[str, str]
    secret: str


STARTS = {
    "analytics": Start(GUNICORN, {"SERVICE_CLIENT_SECRET": "s"}, "REDIS_URL"),
    "api-gateway": Start(GUNICORN, {"SERVICE_CLIENT_SECRET": "s"}, "REDIS_URL"),
    "auth": Start(GUNICORN, {"JWT_SECRET": JWT}, "MONGO_URL"),
    "feed-generator": Start(("app.py",), {"FEED": "f", "PRODUCTS": "NIFTY"}, "REDIS_URL"),
    "logging-service": Start(GUNICORN, {}, "MONGO_URL"),
    "socket-gateway": Start(("app.py",), {}, "REDIS_URL"),
    "storage": Start(GUNICORN, {}, "MONGO_URL"),
    "worker-enricher": Start(
        ("app.py", "worker"),
        {"FEED": "f", "REDIS_URL": "redis://h", "CELERY_BROKER_URL": "redis://h"},
        "MONGO_URL",
    ),
}


@pytest.fixture(params=sorted(STARTS))
def service(request: pytest.FixtureRequest) -> str:
    """Each service in turn."""
    name: str = request.param
    return name


def refused(service: str, **environ: str) -> list[str]:
    """Start the service's process with settings that it refuses. Returns the lines that it prints."""
    argv, needed, _ = STARTS[service]
    done = subprocess.run(
        [sys.executable, *argv],
        cwd=SERVICES / service,
        env={"PATH": os.environ["PATH"], **needed, **environ},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    return done.stderr.splitlines()


def test_every_service_is_in_the_table() -> None:
    """Fails if a service is missing in the table above."""
    assert STARTS.keys() == {path.parent.name for path in SERVICES.glob("*/requirements.in")}


def test_each_invalid_variable_gets_a_line(service: str) -> None:
    """Each line names its variable. No line shows the secret's value."""
    secret = STARTS[service].secret
    lines = refused(service, **{"PORT": "high", secret: "http://:hunter2@h"})
    assert sorted(line.partition("=")[0] for line in lines) == sorted(["PORT", secret])
    assert f"{secret}=(secret): must be a " in "\n".join(lines)
    assert "hunter2" not in "\n".join(lines)


def test_an_invalid_file_is_reported_with_its_variable(service: str, tmp_path: Path) -> None:
    """This covers an empty file and a missing one. The message shows neither path nor content."""
    variable = f"{STARTS[service].secret}_FILE"
    path = tmp_path / "hunter2"
    (missing,) = refused(service, **{variable: str(path)})
    assert missing == f"{variable}: must name a file that can be read (No such file or directory)"
    path.touch()
    (empty,) = refused(service, **{variable: str(path)})
    assert empty.startswith(f"{variable}=(empty file): must be a ")
