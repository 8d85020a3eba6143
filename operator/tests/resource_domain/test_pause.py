"""Test how annotations pause a feed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.support.feeds import NOON

from deltastream_operator.domain.pause import PAUSED, PAUSED_UNTIL, read


def test_without_annotations_nothing_is_paused() -> None:
    """Annotations of other programs are ignored."""
    assert read({"kubectl.kubernetes.io/x": "y"}).active(NOON) is None
    assert read({PAUSED: "false"}).active(NOON) is None


def test_paused_lasts_until_it_is_removed() -> None:
    """The reason says how to resume."""
    assert read({PAUSED: "true"}).active(NOON) == f"{PAUSED} is true; remove the annotation to resume"


def test_paused_until_ends_automatically() -> None:
    """The pause ends at that time, which may be written in any time zone."""
    request = read({PAUSED_UNTIL: "2026-11-25T17:30:00+05:30"})
    assert "2026-11-25T17:30:00+05:30" in str(request.active(NOON - timedelta(seconds=1)))
    assert request.active(NOON) is None


def test_with_both_annotations_the_longer_pause_applies() -> None:
    """A paused-until in the past does not end the pause of `paused`."""
    assert read({PAUSED: "true", PAUSED_UNTIL: "2020-01-01T00:00:00Z"}).active(NOON)


@pytest.mark.parametrize(
    ("name", "value"),
    [(PAUSED, "yes"), (PAUSED, ""), (PAUSED_UNTIL, "tomorrow"), (PAUSED_UNTIL, "2026-11-25T09:15:00")],
)
def test_an_unreadable_annotation_pauses_and_names_the_rule(name: str, value: str) -> None:
    """Its author wanted a pause. The message names the annotation, the rule and the value."""
    why = str(read({name: value}).active(NOON))
    assert why.startswith(f"{name} must be ")
    assert repr(value) in why
