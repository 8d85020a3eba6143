"""Values from other services are read with strict types."""

from __future__ import annotations

import math

import pytest

from analytics.domain.values import epoch_seconds, number, rfc3339, rfc3339_ns, whole


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, True, None, "1", [1], 2e15])
def test_a_value_that_is_not_a_number_becomes_none(value: object) -> None:
    """Infinities, NaN, bools, text and too large numbers are not numbers."""
    assert number(value) is None


def test_a_number_keeps_its_value_and_type() -> None:
    """0 is a number, an integer keeps its type, and a float is not an integer."""
    assert (number(0), number(-1.5), number(7)) == (0, -1.5, 7)
    assert (whole(0), whole(7), whole(7.0), whole(True)) == (0, 7, None, None)


def test_times_keep_their_precision() -> None:
    """Responses have milliseconds; storage's filters need nanoseconds."""
    ns = 1_718_963_999_123_456_789
    assert rfc3339(ns) == "2024-06-21T09:59:59.123Z"
    assert rfc3339_ns(ns) == "2024-06-21T09:59:59.123456789Z"
    assert epoch_seconds("2024-06-21T15:29:59+05:30") == 1_718_963_999


@pytest.mark.parametrize(
    "value", ["2024-06-21T09:59:59", "2024-06-21T09:59:59.5Z", "today", None, 1_718_963_999]
)
def test_the_start_of_a_window_needs_a_time_zone_and_a_whole_second(value: object) -> None:
    """The start of a bar needs a time zone and a whole second."""
    assert epoch_seconds(value) is None
