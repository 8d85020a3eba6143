"""Compute when Kite's instrument list is read again.

Kite makes a new list each morning at about 08:30 in India, and an instrument token may belong to another
instrument from then on. During the session it adds the strikes that the exchange lists when the price has
moved far.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

ZONE = ZoneInfo("Asia/Kolkata")

_NEW_LIST = time(8, 30)
_EVERY = timedelta(minutes=30)
_OPEN, _LAST = time(9, 15), time(15, 0)
_NS = 1_000_000_000


def seconds_to_reading(now_ns: int) -> float:
    """Return the time until the next reading: every 30 minutes from 08:30 to 15:00 in India."""
    now = datetime.fromtimestamp(now_ns / _NS, ZONE)
    following = datetime.combine(now, _NEW_LIST, ZONE)
    while following <= now:
        following += _EVERY
    if following > datetime.combine(now, _LAST, ZONE):
        following = datetime.combine(now.date() + timedelta(days=1), _NEW_LIST, ZONE)
    return (following - now).total_seconds()


def day_of_list(now_ns: int) -> date:
    """Return the day whose list is in force. It changes at 08:30."""
    now = datetime.fromtimestamp(now_ns / _NS, ZONE)
    return now.date() - timedelta(days=now.time() < _NEW_LIST)


def is_before_open(now_ns: int) -> bool:
    """Return whether the new list may still be missing: Kite promises no minute for it."""
    return _NEW_LIST <= datetime.fromtimestamp(now_ns / _NS, ZONE).time() < _OPEN
