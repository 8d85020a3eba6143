"""The process: settings, probes and shutdown."""

from __future__ import annotations

import re
import signal
from pathlib import Path
from typing import Any

import pytest

from socket_gateway.config import Settings, load
from socket_gateway.limits import TokenBucket

README = Path(__file__).parents[1] / "README.md"


def test_sigterm_disconnects_the_clients_and_the_process_exits_with_zero(gateway: Any, play: Any) -> None:
    """On SIGTERM clients are disconnected and the process exits with 0."""
    players = [play(gateway), play(gateway, ["polling"])]
    gateway.process.send_signal(signal.SIGTERM)
    assert gateway.process.wait(30) == 0
    for player in players:
        player.wait("disconnect")


def test_readiness_reports_both_dependencies(gateway: Any) -> None:
    """Readiness checks that Redis answers and has confirmed the subscription."""
    status, body = gateway.get("/readyz")
    assert status == 200
    assert '"redis": "ok"' in body
    assert '"subscription": "ok"' in body


def test_other_paths_get_404_as_problem_json(gateway: Any) -> None:
    """A path other than Socket.IO or a probe gets a 404 problem."""
    status, body = gateway.get("/anything")
    assert status == 404
    assert '"code": "not_found"' in body


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "0"),
        ("TRANSPORTS", "carrier-pigeon"),
        ("TRANSPORTS", ""),
        ("SLOW_CLIENT_SECONDS", "soon"),
        ("MAX_CLIENTS", "-1"),
        ("REDIS_URL", "http://user:secret@host"),
    ],
)
def test_a_bad_setting_stops_the_start_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str
) -> None:
    """An invalid setting stops the start with one line: variable, value and rule, but never a secret."""
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as stop:
        load()
    output = capsys.readouterr().err
    assert stop.value.code == 2
    assert re.fullmatch(rf"{name}=\S+: .+\n", output)
    assert ":secret" not in output


def test_the_redis_url_may_come_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """REDIS_URL_FILE takes precedence over REDIS_URL, because secrets are mounted as files."""
    (tmp_path / "url").write_text("redis://:p@host:6379/0\n")
    monkeypatch.setenv("REDIS_URL", "redis://other:6379/0")
    monkeypatch.setenv("REDIS_URL_FILE", str(tmp_path / "url"))
    assert load().redis_url == "redis://:p@host:6379/0"


def test_the_readme_has_every_setting() -> None:
    """The README documents every setting."""
    text = README.read_text()
    assert [name for name in Settings.model_fields if f"`{name.upper()}`" not in text] == []


def test_a_token_bucket_refills_with_time() -> None:
    """A token bucket allows the burst at once, then the rate."""
    now = [0.0]
    bucket = TokenBucket(2, 3, lambda: now[0])
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
    assert bucket.refused == 1
    now[0] = 0.5
    assert [bucket.take() for _ in range(2)] == [True, False]
    now[0] = 100
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
