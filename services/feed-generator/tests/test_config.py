"""Settings: each invalid one is reported in a line with variable, value and rule, and ends the start."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from feed_generator import config

GOOD = {"FEED": "synthetic", "PRODUCTS": "NIFTY, AAPL", "REDIS_URL": "redis://:secret@localhost:6379/0"}
Refused = Callable[[Mapping[str, str]], str]


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Refused:
    """Loads settings that must be refused; returns what is printed to stderr."""

    def load(environ: Mapping[str, str]) -> str:
        with pytest.raises(SystemExit) as stopped:
            config.load(environ)
        assert stopped.value.code == 2
        return capsys.readouterr().err

    return load


def test_only_feed_products_and_redis_url_are_required(refused: Refused) -> None:
    """All other settings have defaults, and unrelated variables are ignored."""
    settings = config.load(GOOD | {"PATH": "/bin", "FEEDS": "x"})
    assert settings.product_list == ["NIFTY", "AAPL"]
    assert (settings.source, settings.seed, settings.messages_per_second) == ("synthetic", 7, 60)
    assert refused({}) == (
        "FEED: must be set\nPRODUCTS: must be set\nREDIS_URL: must be set (or REDIS_URL_FILE)\n"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FEED", "Synthetic"),
        ("FEED", "a" * 41),
        ("SOURCE", "exchange"),
        ("PRODUCTS", ""),
        ("PRODUCTS", "nifty"),
        ("PRODUCTS", "NIFTY,,AAPL"),
        ("PRODUCTS", "NIFTY,NIFTY"),
        ("PRODUCTS", ",".join(f"P{number}" for number in range(501))),
        ("SHARD_INDEX", "1"),
        ("SHARD_INDEX", "-1"),
        ("SHARD_COUNT", "0"),
        ("SEED", "-1"),
        ("SEED", "seven"),
        ("SPEED_PERCENT", "0"),
        ("MESSAGES_PER_SECOND", "100001"),
        ("REPLAY_AS_OF", "2024-06-21T15:30:00"),
        ("REPLAY_INTERVAL_MILLIS", "0"),
        ("REPLAY_LOOP", "Twice"),
        ("BUFFER_BYTES", "1"),
        ("STREAM_HIGH_WATER", "0"),
        ("PORT", "65536"),
        ("LOG_LEVEL", "LOUD"),
    ],
)
def test_an_invalid_value_is_reported_with_its_variable(name: str, value: str, refused: Refused) -> None:
    """The message is one line with variable, value and rule."""
    output = refused(GOOD | {name: value})
    assert output.startswith(f"{name}={value!r}: ")
    assert output.count("\n") == 1


@pytest.mark.parametrize(
    "url", ["localhost:6379", "http://localhost", "redis://:secret@host:port/0", "redis://:secret@host?no=1"]
)
def test_a_bad_redis_url_is_named_but_not_shown(url: str, refused: Refused) -> None:
    """The URL contains a password, so the message does not show it."""
    output = refused(GOOD | {"REDIS_URL": url})
    assert output.startswith("REDIS_URL=(secret): must ")
    assert ":secret" not in output
    assert output.count("\n") == 1


def test_the_redis_url_may_come_as_a_file(tmp_path: Path, refused: Refused) -> None:
    """The file takes precedence and its trailing newline is ignored. An unreadable file is reported."""
    path = tmp_path / "url"
    path.write_text("redis://elsewhere:6379/0\n")
    assert config.load(GOOD | {"REDIS_URL_FILE": str(path)}).redis_url == "redis://elsewhere:6379/0"
    assert refused(GOOD | {"REDIS_URL_FILE": str(tmp_path / "none")}).startswith("REDIS_URL_FILE: must name ")


def test_a_replay_needs_a_recording(refused: Refused) -> None:
    """The error names the variable to set. A recording may have several products."""
    replay = GOOD | {"SOURCE": "replay", "PRODUCTS": "SPX,SPXW"}
    assert refused(replay) == "REPLAY_PATH: must name the recording when SOURCE=replay\n"
    assert config.load(replay | {"REPLAY_PATH": "recording.csv"}).replay_path == "recording.csv"
