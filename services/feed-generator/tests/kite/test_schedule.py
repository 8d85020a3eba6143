"""When Kite's instrument list is read again."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from feed_generator.live.kite.schedule import ZONE, day_of_list, is_before_open, seconds_to_reading


def ns(day: int, hour: int, minute: int, second: int = 0) -> int:
    return int(datetime(2026, 10, day, hour, minute, second, tzinfo=ZONE).timestamp()) * 10**9


@pytest.mark.parametrize(
    ("now", "following"),
    [
        ((8, 0, 0), (8, 8, 30)),
        ((8, 8, 29, 59), (8, 8, 30)),
        ((8, 8, 30), (8, 9, 0)),
        ((8, 9, 14), (8, 9, 30)),
        ((8, 14, 31), (8, 15, 0)),
        ((8, 15, 0), (9, 8, 30)),
        ((8, 23, 59), (9, 8, 30)),
        ((31, 23, 59), (32, 8, 30)),
    ],
)
def test_the_list_is_read_each_half_hour_of_the_session(
    now: tuple[int, ...], following: tuple[int, ...]
) -> None:
    """From 08:30, when it is new, to 15:00. At the close a new reading would disturb the last quotes."""
    day, hour, minute = following
    last_of_month = ns(31, hour, minute) + 86_400 * 10**9 if day > 31 else ns(day, hour, minute)
    assert ns(*now) + seconds_to_reading(ns(*now)) * 10**9 == last_of_month


def test_a_list_is_of_yesterday_until_half_past_eight() -> None:
    """Kite makes it then, so what is read before has the tokens of the day before."""
    assert day_of_list(ns(8, 8, 29, 59)) == date(2026, 10, 7)
    assert day_of_list(ns(8, 8, 30)) == date(2026, 10, 8)
    assert day_of_list(ns(9, 0, 0)) == date(2026, 10, 8)


def test_a_list_may_be_late_until_the_exchange_opens() -> None:
    times = [(8, 8, 29, 59), (8, 8, 30), (8, 9, 14, 59), (8, 9, 15)]
    assert [is_before_open(ns(*one)) for one in times] == [False, True, True, False]
