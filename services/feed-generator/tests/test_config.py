"""Settings: every wrong one ends the start with one line that names variable, value and rule."""

from __future__ import annotations

from pathlib import Path

import pytest

from feed_generator import config
from feed_generator.errors import ConfigError

GOOD = {"FEED": "synthetic", "PRODUCTS": "NIFTY, AAPL", "REDIS_URL": "redis://:secret@localhost:6379/0"}


def test_the_least_that_must_be_said_is_feed_products_and_redis() -> None:
    """Everything else has a default, and variables that are not ours do not matter."""
    settings = config.load(GOOD | {"PATH": "/bin", "FEEDS": "x"})
    assert settings.product_list == ["NIFTY", "AAPL"]
    assert (settings.source, settings.seed, settings.messages_per_second) == ("synthetic", 7, 60)
    for name in GOOD:
        with pytest.raises(ConfigError, match=f"^{name}: Field required$"):
            config.load({key: value for key, value in GOOD.items() if key != name})


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
def test_a_bad_value_is_named_with_its_variable(name: str, value: str) -> None:
    """One line: variable, rule and what was given."""
    with pytest.raises(ConfigError) as caught:
        config.load(GOOD | {name: value})
    message = str(caught.value)
    assert message.startswith(f"{name}: ")
    assert "(given: " in message
    assert "\n" not in message


@pytest.mark.parametrize(
    "url", ["localhost:6379", "http://localhost", "redis://:secret@host:port/0", "redis://:secret@host?no=1"]
)
def test_a_bad_redis_url_is_named_but_not_shown(url: str) -> None:
    """It holds a password."""
    with pytest.raises(ConfigError, match=r"^REDIS_URL: ") as caught:
        config.load(GOOD | {"REDIS_URL": url})
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_redis_url_may_come_as_a_file(tmp_path: Path) -> None:
    """The file wins, its last newline does not count; one that cannot be read is named."""
    path = tmp_path / "url"
    path.write_text("redis://elsewhere:6379/0\n")
    assert config.load(GOOD | {"REDIS_URL_FILE": str(path)}).redis_url == "redis://elsewhere:6379/0"
    with pytest.raises(ConfigError, match=r"^REDIS_URL_FILE: cannot read .*none: No such file"):
        config.load(GOOD | {"REDIS_URL_FILE": str(tmp_path / "none")})
    path.write_bytes(b"redis://\xff")
    with pytest.raises(ConfigError, match=r"^REDIS_URL_FILE: cannot read .*url: it is not UTF-8 text$"):
        config.load(GOOD | {"REDIS_URL_FILE": str(path)})


def test_a_replay_needs_a_recording_of_exactly_one_product() -> None:
    """Both rules name the variable to change."""
    replay = GOOD | {"SOURCE": "replay", "PRODUCTS": "NIFTY"}
    with pytest.raises(ConfigError, match=r"^REPLAY_PATH: needed when SOURCE=replay"):
        config.load(replay)
    replay |= {"REPLAY_PATH": "recording.csv"}
    assert config.load(replay).replay_path == "recording.csv"
    with pytest.raises(ConfigError, match=r"^PRODUCTS: a recording holds one product"):
        config.load(replay | {"PRODUCTS": "NIFTY,AAPL"})
