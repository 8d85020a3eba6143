"""docs/new-service.md is correct: the tests create its example service, start it, call it and stop it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from devcluster.processes.http_process import HttpProcess, gunicorn
from devcluster.waiting import wait_until
from scripts import copy_chassis

from tests.support.tokens import access_token, key_server

ROOT = copy_chassis.ROOT
GUIDE = (ROOT / "docs/new-service.md").read_text()
FILE = re.compile(r"^`(services/greeting/[^`]+)`\n```(?:python)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def make(root: Path) -> Path:
    """Create a tree with the chassis, the tool settings, and the guide's service with its chassis copies."""
    shutil.copytree(ROOT / "services/chassis", root / "services/chassis")
    shutil.copy(ROOT / "pyproject.toml", root)
    for name, content in FILE.findall(GUIDE):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    copy_chassis.write(root)
    return root


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("tree"))


@pytest.fixture(scope="module")
def greeting(tree: Path) -> Iterator[HttpProcess]:
    """The service, started as its image would start it."""
    with key_server() as auth, gunicorn(tree / "services/greeting", tree / "log", AUTH_URL=auth) as process:
        wait_until(process.ready, "the ninth service is ready")
        yield process


def test_it_passes_the_linters_and_copies_only_what_it_imports(tree: Path) -> None:
    """It passes ruff and mypy --strict with this tree's settings, and copies only modules that it imports."""
    for command in (
        ("ruff", "check", "--no-cache", "services/greeting"),
        ("ruff", "format", "--check", "--no-cache", "services/greeting"),
        ("mypy", "-p", "greeting"),
    ):
        argv, env = [sys.executable, "-m", *command], {**os.environ, "MYPYPATH": "services/greeting"}
        done = subprocess.run(
            argv, cwd=tree, env=env, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    taken = {path.stem for path in copy_chassis.present(tree)}
    assert taken >= {"health", "http_worker", "http_connection", "environment", "addresses"}
    assert "redis_urls" not in taken


def test_it_answers_requests_with_a_token_only(greeting: HttpProcess) -> None:
    """Checks the route and the guide's promises: problem documents, the token, the path's pattern."""
    token = {"Authorization": f"Bearer {access_token('deltastream-api')}"}
    status, body = greeting.get("/greetings/NIFTY", **token)
    assert (status, json.loads(body)["greeting"]) == (200, "Hello, NIFTY")
    for path, headers, expected in (
        ("/greetings/NIFTY", {}, (401, "unauthorized")),
        ("/greetings/nifty", token, (400, "bad_input")),
        ("/nothing", token, (404, "not_found")),
    ):
        status, body = greeting.get(path, **headers)
        problem = json.loads(body)
        assert (status, problem["code"]) == expected
        assert problem.keys() >= {"type", "title", "status", "detail", "request_id"}
    assert 'greeting_requests_total{method="GET",route="/greetings/<product>"' in greeting.get("/metrics")[1]


def test_it_names_every_wrong_setting(tree: Path) -> None:
    """It prints one line for each wrong setting and exits with 2."""
    settings = {"AUTH_URL": "auth", "LOG_LEVEL": "loud"}
    with gunicorn(tree / "services/greeting", tree / "refused", **settings) as process:
        assert process.process.wait(60) == 2
    output = (tree / "refused").read_text().splitlines()
    assert [line.partition("=")[0] for line in output] == ["LOG_LEVEL", "AUTH_URL"]


def test_it_ends_cleanly_and_is_removed_with_its_folder(tmp_path: Path) -> None:
    """It exits with 0 after SIGTERM, and its folder is all that it adds to the tree."""
    service = make(tmp_path) / "services/greeting"
    with gunicorn(service, tmp_path / "log") as process:
        wait_until(process.ready, "the ninth service is ready")
        process.process.terminate()
        assert process.process.wait(30) == 0
    shutil.rmtree(service)
    assert copy_chassis.copies(tmp_path) == {}
