"""Settings from the environment, and the gunicorn process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from devcluster.ports import free_port
from devcluster.processes.http_process import gunicorn
from devcluster.waiting import wait_until
from tests.support.tokens import access_token

from analytics.config import Settings, load

SERVICE = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _secret(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SERVICE_CLIENT_SECRET_FILE", "REDIS_URL_FILE", "SERVICE_CLIENT_ID", "STORAGE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SERVICE_CLIENT_SECRET", "from the environment")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "x"),
        ("PORT", "0"),
        ("AUTH_URL", "auth:8001"),
        ("STORAGE_URL", "http://"),
        ("REDIS_URL", "http://:pw@h"),
        ("SERVICE_CLIENT_SECRET", ""),
        ("SERVICE_CLIENT_ID", ""),
        ("LOG_LEVEL", "loud"),
    ],
)
def test_a_bad_value_stops_the_start(name: str, value: str, monkeypatch: Any, capsys: Any) -> None:
    """One line names the variable and the rule, and contains no secret."""
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as stopped:
        load()
    output = capsys.readouterr().err
    assert stopped.value.code == 2
    assert output.startswith(f"{name}=")
    assert output.count("\n") == 1
    assert "pw" not in output


def test_the_secret_must_be_set(monkeypatch: Any, capsys: Any) -> None:
    """analytics needs the secret to get tokens for storage."""
    monkeypatch.delenv("SERVICE_CLIENT_SECRET")
    with pytest.raises(SystemExit):
        load()
    assert "SERVICE_CLIENT_SECRET: must be set" in capsys.readouterr().err


def test_a_secret_can_come_from_a_file(tmp_path: Path, monkeypatch: Any, capsys: Any) -> None:
    """The file takes precedence over the variable; a missing file stops the start."""
    (tmp_path / "secret").write_text("from the file\n")
    (tmp_path / "redis").write_text("redis://file:6379/0\n")
    monkeypatch.setenv("SERVICE_CLIENT_SECRET_FILE", str(tmp_path / "secret"))
    monkeypatch.setenv("REDIS_URL_FILE", str(tmp_path / "redis"))
    settings = load()
    assert settings.service_client_secret.get_secret_value() == "from the file"
    assert settings.redis_url.get_secret_value() == "redis://file:6379/0"
    monkeypatch.setenv("REDIS_URL_FILE", str(tmp_path / "none"))
    with pytest.raises(SystemExit):
        load()
    assert capsys.readouterr().err.startswith("REDIS_URL_FILE: ")


def test_every_setting_is_in_the_readme() -> None:
    """The README documents every setting."""
    text = (SERVICE / "README.md").read_text()
    assert not [name for name in Settings.model_fields if f"`{name.upper()}`" not in text]


def test_gunicorn_serves_and_ends_cleanly(redis_url: str, auth: Any, tmp_path: Path) -> None:
    """The service becomes ready, its forked worker answers, and SIGTERM ends it with status 0."""
    settings = {
        "REDIS_URL": redis_url,
        "AUTH_URL": auth.url,
        "STORAGE_URL": f"http://127.0.0.1:{free_port()}",
        "SERVICE_CLIENT_SECRET": "any",
    }
    with gunicorn(SERVICE, tmp_path / "log", **settings) as service:
        wait_until(service.ready, "analytics is ready")
        headers = {"Authorization": f"Bearer {access_token('analytics')}"}
        assert service.get("/pcr/NIFTY", **headers)[0] == 503  # the cache is empty and storage is unavailable
        service.process.terminate()
        assert service.process.wait(30) == 0
