"""The process: settings and shutdown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from devcluster.processes.http_process import gunicorn
from devcluster.waiting import wait_until

from logging_service.config import Settings, load

SERVICE = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("name", "value"), [("PORT", "x"), ("AUTH_URL", "auth"), ("MONGO_URL", "redis://:pw@h")]
)
def test_a_bad_value_stops_the_start(name: str, value: str, monkeypatch: Any, capsys: Any) -> None:
    """An invalid setting stops the start with one line: variable and rule, but never a secret."""
    monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as stopped:
        load()
    output = capsys.readouterr().err
    assert stopped.value.code == 2
    assert output.startswith(f"{name}=")
    assert "pw" not in output


def test_a_secret_may_come_as_a_file(tmp_path: Path, monkeypatch: Any) -> None:
    """MONGO_URL_FILE takes precedence over MONGO_URL."""
    (tmp_path / "url").write_text("mongodb://file/deltastream\n")
    monkeypatch.setenv("MONGO_URL", "mongodb://env/deltastream")
    monkeypatch.setenv("MONGO_URL_FILE", str(tmp_path / "url"))
    assert load().mongo_url.get_secret_value() == "mongodb://file/deltastream"


def test_every_setting_is_in_the_readme() -> None:
    """The README documents every setting."""
    text = (SERVICE / "README.md").read_text()
    assert not [name for name in Settings.model_fields if f"`{name.upper()}`" not in text]


def test_gunicorn_serves_and_ends_cleanly(db: Any, mongo_url: str, tmp_path: Path) -> None:
    """The service under gunicorn becomes ready, and exits with 0 on SIGTERM."""
    with gunicorn(SERVICE, tmp_path / "log", MONGO_URL=mongo_url) as service:
        wait_until(service.ready, "the logging service is ready")
        service.process.terminate()
        assert service.process.wait(30) == 0
