"""A refused call is one line with the fix, and its exit code says what kind it is."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from devcluster.ports import free_port
from typer.testing import Result

Run = Callable[..., Result]


def soon(seconds: float) -> datetime:
    """The time in so many seconds: tokens end by the real clock."""
    return datetime.now(UTC) + timedelta(seconds=seconds)


def session(name: str, *, ends: datetime) -> dict[str, Any]:
    return {
        "user": {"email": "desk@example.com"},
        "access_token": f"access-{name}",
        "refresh_token": f"refresh-{name}",
        "expires_at": ends.isoformat(),
    }


def log_in(run: Run, prepared: Any, *, ends: datetime) -> Result:
    prepared.routes["/api/auth/login"] = 200, session("1", ends=ends)
    return run("login", "--email", "desk@example.com", "--password-stdin", input="secret-password\n")


@pytest.mark.parametrize(
    ("status", "body", "headers", "code", "said"),
    [
        (500, {"detail": "internal error"}, {}, 1, "internal error (status 500)"),
        (200, b"<html>", {}, 1, "did not answer with JSON"),
        (302, b"", {}, 1, "a DeltaStream API gateway? (status 302)"),
        (400, {"detail": "limit: must be a number"}, {}, 2, "limit: must be a number"),
        (401, {"detail": "no token"}, {}, 3, "login"),
        (403, {"detail": "the role operator is needed"}, {}, 3, "the role operator is needed"),
        (503, {"detail": "the feeds table is missing"}, {}, 4, "the feeds table is missing"),
        (429, {"detail": "more than 600"}, {"Retry-After": "7"}, 4, "wait 7 s"),
        (404, {"detail": "not found"}, {}, 5, "its release is older"),
    ],
)
def test_every_refusal_has_its_code_and_one_line(
    run: Run, prepared: Any, status: int, body: Any, headers: dict[str, str], code: int, said: str
) -> None:
    """The line is on standard error, so that a program reads only reports from standard output."""
    prepared.routes["/api/feeds"] = status, body, headers
    ended = run("feeds")
    assert (ended.exit_code, ended.stdout, ended.stderr.count("\n")) == (code, "", 1)
    assert said in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--url", "example.com", "status"], 2, "must begin with http"),
        (["--url", f"http://127.0.0.1:{free_port()}", "status"], 4, "make start"),
        (["export", "SPY", "--kind", "ticks", "--from", "yesterday"], 2, "--from yesterday: must be a time"),
        (
            ["export", "SPY", "--kind", "ticks", "--from", "2024-06-22", "--to", "2024-06-21"],
            2,
            "must not be after",
        ),
        (["export", "SPY", "--kind", "trades"], 2, "ticks"),
        (["chain", "SPY", "--strikes", "-1"], 2, "--strikes"),
        (["tail"], 2, "PRODUCT"),
    ],
)
def test_a_wrong_argument_names_its_rule(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], code: int, said: str
) -> None:
    """Nothing is written for a wrong argument."""
    monkeypatch.chdir(tmp_path)
    ended = run(*arguments)
    assert ended.exit_code == code
    assert said in ended.stderr
    assert list(tmp_path.glob("SPY*")) == []


def test_an_unhealthy_system_names_the_part_that_is_down(run: Run, prepared: Any) -> None:
    """The report is complete, and the exit code says that a part is unavailable."""
    prepared.routes["/health"] = (
        503,
        {"status": "unhealthy", "checks": {"redis": "unavailable", "auth": "ok"}},
    )
    ended = run("status", "-o", "json")
    assert ended.exit_code == 4
    assert {"name": "redis", "state": "unavailable"} in json.loads(ended.stdout)["checks"]


def test_a_login_is_kept_for_its_owner_alone_and_never_shown(run: Run, prepared: Any, config: Path) -> None:
    """Mode 0600, no token and no password in any output."""
    ended = log_in(run, prepared, ends=soon(600))
    assert (ended.exit_code, ended.stderr) == (0, "")
    file = config / "deltastream/credentials.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "access-1" in file.read_text()
    for word in ("access-", "refresh-", "secret-password"):
        assert word not in ended.stdout
    prepared.routes["/api/feeds"] = 200, {"feeds": []}
    run("feeds")
    assert prepared.seen[-1][2] == "Bearer access-1"


def test_a_token_that_ends_is_refreshed_without_a_word(run: Run, prepared: Any, config: Path) -> None:
    """Also if the gateway refuses a token before its end, for example after a rotation of keys."""
    log_in(run, prepared, ends=soon(5))
    prepared.routes["/api/auth/refresh"] = 200, session("2", ends=soon(600))
    prepared.routes["/api/feeds"] = 200, {"feeds": []}
    ended = run("feeds")
    assert (ended.exit_code, ended.stderr) == (0, "")
    assert prepared.seen[-1][2] == "Bearer access-2"
    refused = iter([(401, {"detail": "unknown key"}), (200, {"feeds": []})])
    prepared.routes["/api/feeds"] = lambda _: next(refused)
    prepared.routes["/api/auth/refresh"] = 200, session("3", ends=soon(600))
    assert run("feeds").exit_code == 0
    assert prepared.seen[-1][2] == "Bearer access-3"


def test_a_login_that_has_ended_asks_for_a_new_one(run: Run, prepared: Any, config: Path) -> None:
    """The useless tokens are removed, so the next command does not try them again."""
    log_in(run, prepared, ends=soon(-60))
    prepared.routes["/api/auth/refresh"] = 401, {"detail": "the refresh token is not valid"}
    ended = run("feeds")
    assert ended.exit_code == 3
    assert f"deltastream --url {prepared.url} login" in ended.stderr
    assert json.loads((config / "deltastream/credentials.json").read_text()) == {}


def test_a_wrong_password_is_refused(run: Run, prepared: Any) -> None:
    """The text does not say whether the account exists."""
    prepared.routes["/api/auth/login"] = 401, {"detail": "wrong"}
    ended = run("login", "--email", "a@example.com", "--password-stdin", input="x\n")
    assert (ended.exit_code, ended.stderr.count("\n")) == (3, 1)


def test_a_damaged_file_of_tokens_is_named(run: Run, prepared: Any, config: Path) -> None:
    """The fix is in the text."""
    (config / "deltastream").mkdir(parents=True)
    (config / "deltastream/credentials.json").write_text("{")
    ended = run("feeds")
    assert ended.exit_code == 1
    assert "credentials.json cannot be read (JSONDecodeError): remove it and log in" in ended.stderr
