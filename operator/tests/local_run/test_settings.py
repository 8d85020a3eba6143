"""The local run's own settings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from deltastream_operator.errors import OperatorError
from deltastream_operator.local import settings

REPO = Path(__file__).resolve().parents[3]


def test_the_environment_wins_over_the_file_and_both_over_defaults(tmp_path: Path) -> None:
    """As everywhere."""
    file = tmp_path / ".env"
    file.write_text("# ours\nexport AUTH_PORT=9001\nSTORAGE_PORT='9003'\n\n")
    known = settings.load({"AUTH_PORT": "9101"}, settings.read_dotenv(file))
    assert (known.ports["auth"], known.ports["storage"], known.ports["analytics"]) == (9101, 9003, 8004)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("AUTH_PORT", "x", "AUTH_PORT='x': must be a port, 1 to 65535"),
        ("REDIS_PORT", "0", "REDIS_PORT='0': must be a port, 1 to 65535"),
        ("AUTH_PORT", "8000", "port 8000 is set for api-gateway and for auth: change one"),
        ("ANONYMOUS_READ", "maybe", "ANONYMOUS_READ='maybe': must be true or false"),
        ("LOG_LEVEL", "LOUD", "LOG_LEVEL='LOUD': must be DEBUG, INFO, WARNING or ERROR"),
    ],
)
def test_a_bad_value_is_named_with_its_rule(name: str, value: str, message: str) -> None:
    """Variable, value, rule."""
    with pytest.raises(OperatorError) as caught:
        settings.load({name: value}, {})
    assert str(caught.value) == message


def test_the_example_file_lists_every_setting_with_its_default() -> None:
    """A name in it does something, and copying it changes nothing."""
    text = (REPO / ".env.example").read_text()
    named = set(re.findall(r"^(?:# )?([A-Z_]+)=", text, re.MULTILINE))
    assert named == set(settings.NAMES)
    assert settings.load({}, settings.read_dotenv(REPO / ".env.example")) == settings.load({}, {})
