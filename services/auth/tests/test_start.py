"""Settings: what starts the service and what does not."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.support.stores import free_port, wait_until

from auth.config import Settings, load

SERVICE = Path(__file__).parents[1]
GOOD = "w7Xo2c9Qz4Lr8Vt1Bn6Hk3Md5Fg0Js-unit"


@pytest.mark.parametrize(
    "weak",
    [
        "",
        "secret",
        "short-but-r4ndom-x8Kq",
        "secret" * 8,
        ("your-secret-key-" * 4)[:37],
        "your-secret-key-change-in-production-please",
        "changeme" + "0" * 40,
        "dev-secret-key" + " " * 40 + "!",
        "deltastream-dev-secret-key-change-me",
        "x" * 64,
        "abababababababababababababababababab",
        "0123456789abcdef0123456789abcdef",
    ],
)
def test_a_guessable_secret_does_not_start(weak: str, monkeypatch: Any, capsys: Any) -> None:
    """Defaults also padded, repeated or joined; one line, exit 2, and the value stays unsaid."""
    monkeypatch.setenv("JWT_SECRET", weak)
    with pytest.raises(SystemExit) as stopped:
        load()
    said = capsys.readouterr().err
    assert stopped.value.code == 2
    assert said.startswith("JWT_SECRET=(secret): must be")
    assert said.count("\n") == 1
    rule = said.partition(": ")[2]
    assert len(weak) < 8 or weak not in said
    assert rule.startswith("must be")


@pytest.mark.parametrize("make", [secrets.token_urlsafe, secrets.token_hex])
def test_a_random_secret_starts(make: Any, monkeypatch: Any) -> None:
    """What the usual tools make is never taken for a default."""
    for _ in range(200):
        monkeypatch.setenv("JWT_SECRET", make(32))
        load()


def test_a_secret_file_wins(tmp_path: Path, monkeypatch: Any) -> None:
    """JWT_SECRET_FILE over JWT_SECRET; the newline at its end does not count."""
    path = tmp_path / "jwt"
    path.write_text(GOOD + "\n")
    monkeypatch.setenv("JWT_SECRET", "secret")
    monkeypatch.setenv("JWT_SECRET_FILE", str(path))
    monkeypatch.setenv("JWT_PREVIOUS_SECRET", "")
    settings = load()
    assert settings.jwt_secret.get_secret_value() == GOOD
    assert settings.jwt_previous_secret is None


@pytest.mark.parametrize(
    ("name", "value"), [("PASSWORD_MIN_LENGTH", "6"), ("PORT", "x"), ("MONGO_URL", "http://x")]
)
def test_a_bad_value_is_named(name: str, value: str, monkeypatch: Any, capsys: Any) -> None:
    """Variable and rule, in a line."""
    monkeypatch.setenv("JWT_SECRET", GOOD)
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit):
        load()
    assert capsys.readouterr().err.startswith(f"{name}=")


def test_every_setting_and_route_is_in_the_readme() -> None:
    """Docs that miss a knob are wrong docs."""
    text = (SERVICE / "README.md").read_text()
    assert not [name for name in Settings.model_fields if f"`{name.upper()}`" not in text]
    routes = ("register", "login", "verify", "refresh", "logout", "token", ".well-known/jwks.json")
    assert not [route for route in routes if f"/{route}`" not in text]


def gunicorn(env: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    with open(log, "wb") as stderr:
        return subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "app:app"],
            cwd=SERVICE,
            env={**inherited, **env},
            stderr=stderr,
        )


def test_gunicorn_refuses_a_default_with_code_2(tmp_path: Path) -> None:
    """The whole process, as an orchestrator sees it."""
    process = gunicorn({"JWT_SECRET": "changeme" * 6}, tmp_path / "log")
    try:
        assert process.wait(30) == 2
    finally:
        process.kill()
        process.wait()
    assert (tmp_path / "log").read_text().count("\n") == 1


def test_gunicorn_serves_and_ends_cleanly(auth: Any, tmp_path: Path) -> None:
    """Ready, a login, and 0 on SIGTERM."""
    import urllib.request

    port = free_port()
    env = {"MONGO_URL": auth.mongo_url, "REDIS_URL": auth.redis_url, "JWT_SECRET": GOOD, "PORT": str(port)}
    process = gunicorn(env, tmp_path / "log")
    try:

        def ready() -> bool:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as got:
                    return bool(got.status == 200)
            except OSError:
                return False

        wait_until(ready, "auth is ready")
        asked = urllib.request.Request(
            f"http://127.0.0.1:{port}/register",
            b'{"email": "a@example.com", "password": "a long password"}',
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(asked, timeout=30) as got:
            assert got.status == 201
        process.terminate()
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
