"""The process: settings, start and shutdown."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import pytest
from devcluster.processes.http_process import gunicorn
from devcluster.waiting import wait_until

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
def test_a_guessable_secret_stops_the_start(weak: str, monkeypatch: Any, capsys: Any) -> None:
    """A guessable secret stops the start with status 2 and one line, without the value."""
    monkeypatch.setenv("JWT_SECRET", weak)
    with pytest.raises(SystemExit) as stopped:
        load()
    output = capsys.readouterr().err
    assert stopped.value.code == 2
    assert output.startswith("JWT_SECRET=(secret): must be")
    assert output.count("\n") == 1
    rule = output.partition(": ")[2]
    assert len(weak) < 8 or weak not in output
    assert rule.startswith("must be")


@pytest.mark.parametrize("make", [secrets.token_urlsafe, secrets.token_hex])
def test_a_random_secret_is_accepted(make: Any, monkeypatch: Any) -> None:
    """Secrets from the usual random generators are always accepted."""
    for _ in range(200):
        monkeypatch.setenv("JWT_SECRET", make(32))
        load()


def test_a_secret_file_takes_precedence(tmp_path: Path, monkeypatch: Any) -> None:
    """JWT_SECRET_FILE takes precedence over JWT_SECRET; its final newline is ignored."""
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
def test_an_invalid_value_is_named(name: str, value: str, monkeypatch: Any, capsys: Any) -> None:
    """An invalid value stops the start with a line that names the variable."""
    monkeypatch.setenv("JWT_SECRET", GOOD)
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit):
        load()
    assert capsys.readouterr().err.startswith(f"{name}=")


def test_every_setting_and_route_is_in_the_readme() -> None:
    """The README documents every setting and route."""
    text = (SERVICE / "README.md").read_text()
    assert not [name for name in Settings.model_fields if f"`{name.upper()}`" not in text]
    routes = ("register", "login", "verify", "refresh", "logout", "token", ".well-known/jwks.json")
    assert not [route for route in routes if f"/{route}`" not in text]


def test_gunicorn_exits_with_2_if_the_secret_is_a_default(tmp_path: Path) -> None:
    """gunicorn exits with status 2 and one line if the secret is a default."""
    with gunicorn(SERVICE, tmp_path / "log", JWT_SECRET="changeme" * 6) as service:
        assert service.process.wait(30) == 2
    assert service.log.read_text().count("\n") == 1


def test_gunicorn_serves_and_ends_cleanly(auth: Any, account: Any, tmp_path: Path) -> None:
    """auth under gunicorn becomes ready, creates an account, and exits with 0 on SIGTERM."""
    settings = {"MONGO_URL": auth.mongo_url, "REDIS_URL": auth.redis_url, "JWT_SECRET": GOOD}
    with gunicorn(SERVICE, tmp_path / "log", **settings) as service:
        wait_until(service.ready, "auth is ready")
        assert service.post("/register", account)[0] == 201
        service.process.terminate()
        assert service.process.wait(30) == 0
