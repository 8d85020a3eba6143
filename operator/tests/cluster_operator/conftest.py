"""Time that stands still unless a test moves it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest


@dataclass
class HandClock:
    """Moved by hand."""

    now: float = 100.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return 1_764_028_800 + self.now


@pytest.fixture
def clock() -> HandClock:
    """The clock of what is tested."""
    return HandClock()
