"""Pausing by annotation."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.support.feeds import NOON

from deltastream_operator.domain.pause import PAUSED, PAUSED_UNTIL, read


def test_without_annotations_nothing_is_paused() -> None:
    """Other annotations are not ours to read."""
    assert read({"kubectl.kubernetes.io/x": "y"}).active(NOON) is None
    assert read({PAUSED: "false"}).active(NOON) is None


def test_paused_lasts_until_it_is_removed() -> None:
    """And the reason says how to go on."""
    assert read({PAUSED: "true"}).active(NOON) == f"{PAUSED} is true; remove the annotation to resume"


def test_paused_until_ends_by_itself() -> None:
    """At that moment, in whatever zone it was written."""
    request = read({PAUSED_UNTIL: "2026-11-25T17:30:00+05:30"})
    assert "2026-11-25T17:30:00+05:30" in str(request.active(NOON - timedelta(seconds=1)))
    assert request.active(NOON) is None


def test_both_hold_as_long_as_either_does() -> None:
    """A moment that has passed does not lift a pause for good."""
    assert read({PAUSED: "true", PAUSED_UNTIL: "2020-01-01T00:00:00Z"}).active(NOON)


@pytest.mark.parametrize(
    ("name", "value"),
    [(PAUSED, "yes"), (PAUSED, ""), (PAUSED_UNTIL, "tomorrow"), (PAUSED_UNTIL, "2026-11-25T09:15:00")],
)
def test_what_cannot_be_read_pauses_and_says_so(name: str, value: str) -> None:
    """Whoever wrote it wanted the operator to hold still; the message names annotation and rule."""
    why = str(read({name: value}).active(NOON))
    assert why.startswith(f"{name} must be ")
    assert repr(value) in why
