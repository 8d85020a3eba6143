"""A fixture with a clock that only the test advances."""

from __future__ import annotations

from dataclasses import dataclass

import pytest


@dataclass
class HandClock:
    """A clock whose time changes only when the test sets `now`, in seconds."""

    now: float = 100.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return 1_764_028_800 + self.now


@pytest.fixture
def clock() -> HandClock:
    """Return the clock for the tested object."""
    return HandClock()
