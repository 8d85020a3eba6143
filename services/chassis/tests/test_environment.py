"""Tests for loading settings, and for the messages about invalid ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import AfterValidator, BaseModel, Field, Json, SecretStr

from chassis import environment
from chassis.environment import HttpUrl

Refused = Callable[[Mapping[str, str]], list[str]]


def _long(secret: SecretStr) -> SecretStr:
    if len(secret) < 4:
        raise ValueError("must not be short")
    return secret


class Settings(BaseModel):
    """Settings with one field of each kind."""

    port: int = Field(8000, ge=1, le=65535)
    auth_url: HttpUrl = "http://localhost:8001"
    password: Annotated[SecretStr, AfterValidator(_long)]
    previous: SecretStr | None = None
    weights: Json[dict[str, int]] = Field({})


SECRETS = ("PASSWORD", "PREVIOUS")


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Refused:
    """Load settings that are invalid; returns the lines that are printed before exit code 2."""

    def load(environ: Mapping[str, str]) -> list[str]:
        with pytest.raises(SystemExit) as stopped:
            environment.load(Settings, SECRETS, environ)
        assert stopped.value.code == 2
        return capsys.readouterr().err.splitlines()

    return load


def test_variables_are_the_fields_in_capitals() -> None:
    """A missing variable gets its default; an unrelated variable is ignored."""
    settings = environment.load(Settings, SECRETS, {"PORT": "80", "PASSWORD": "hunter2", "PATH": "/bin"})
    assert (settings.port, settings.auth_url) == (80, "http://localhost:8001")
    assert settings.password.get_secret_value() == "hunter2"


def test_all_problems_are_printed_at_once_with_the_value_unless_it_is_secret(refused: Refused) -> None:
    """The user can fix all problems before the next start."""
    port, url, password = refused({"PORT": "x", "AUTH_URL": "auth", "PASSWORD": "hun"})
    assert port.startswith("PORT='x': ")
    assert url == "AUTH_URL='auth': must be an http:// or https:// URL"
    assert password == "PASSWORD=(secret): must not be short"


def test_a_problem_inside_a_value_names_its_position(refused: Refused) -> None:
    """The user does not have to search a long value."""
    (line,) = refused({"PASSWORD": "hunter2", "WEIGHTS": '{"a": 1, "b": "x"}'})
    assert line.startswith('WEIGHTS=\'{"a": 1, "b": "x"}\': b: Input should be a valid integer')


def test_a_missing_secret_names_both_ways_to_give_it(refused: Refused) -> None:
    """The message names the variable and its `_FILE` form."""
    assert refused({}) == ["PASSWORD: must be set (or PASSWORD_FILE)"]


def test_a_secret_file_takes_precedence_and_its_last_newline_is_ignored(tmp_path: Path) -> None:
    """Kubernetes mounts secrets as files, and editors end files with a newline."""
    (tmp_path / "p").write_text("from the file\n")
    environ = {"PASSWORD": "from the environment", "PASSWORD_FILE": str(tmp_path / "p")}
    assert environment.load(Settings, SECRETS, environ).password.get_secret_value() == "from the file"


def test_an_empty_file_name_means_no_file() -> None:
    """Templates set the variable to an empty string if there is no file."""
    environ = {"PASSWORD": "hunter2", "PASSWORD_FILE": ""}
    assert environment.load(Settings, SECRETS, environ).password.get_secret_value() == "hunter2"


def test_only_a_secret_is_read_from_a_file(tmp_path: Path) -> None:
    """PORT is not a secret, so PORT_FILE belongs to another program."""
    environ = {"PASSWORD": "hunter2", "PORT_FILE": str(tmp_path / "none")}
    assert environment.load(Settings, SECRETS, environ).port == 8000


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"", "PASSWORD_FILE=(empty file): must not be short"),
        (b" \n", "PASSWORD_FILE=(empty file): must not be short"),
        (b"hun", "PASSWORD_FILE=(secret): must not be short"),
        (b"hunter\xff", "PASSWORD_FILE: must name a file in UTF-8"),
        (None, "PASSWORD_FILE: must name a file that can be read (No such file or directory)"),
    ],
)
def test_an_invalid_file_is_reported_with_its_variable(
    content: bytes | None, line: str, tmp_path: Path, refused: Refused
) -> None:
    """The message appears once, even if PASSWORD is set. It shows neither path nor content."""
    path = tmp_path / "hunter-file"
    if content is not None:
        path.write_bytes(content)
    assert refused({"PASSWORD_FILE": str(path)}) == [line]
    with_others = refused({"PASSWORD_FILE": str(path), "PASSWORD": "hunter2", "PORT": "0"})
    assert line in with_others
    assert [each.partition("=")[0] for each in with_others if each != line] == ["PORT"]


def test_an_unreadable_file_is_refused_also_where_a_default_would_do(
    tmp_path: Path, refused: Refused
) -> None:
    """A named file must be readable, even for an optional variable."""
    lines = refused({"PASSWORD": "hunter2", "PREVIOUS_FILE": str(tmp_path)})
    assert lines == ["PREVIOUS_FILE: must name a file that can be read (Is a directory)"]


@pytest.mark.parametrize("url", ["", "auth", "http://", "ftp://auth", "//auth"])
def test_a_services_url_must_be_http(url: str, refused: Refused) -> None:
    """A bad URL fails at start, not at the first call."""
    assert refused({"PASSWORD": "hunter2", "AUTH_URL": url}) == [
        f"AUTH_URL={url!r}: must be an http:// or https:// URL"
    ]


def test_a_services_url_ends_without_a_slash() -> None:
    """A trailing slash is removed, because callers append paths."""
    environ = {"PASSWORD": "hunter2", "AUTH_URL": "https://auth:8001/x/"}
    assert environment.load(Settings, SECRETS, environ).auth_url == "https://auth:8001/x"
