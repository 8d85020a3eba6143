"""Wait for a condition in tests."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_until(condition: Callable[[], object], says: Callable[[], object], within_s: float = 30) -> None:
    """Return once `condition` holds. Otherwise fail with what `says` returns."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {within_s} s: {says()}"
        time.sleep(0.005)
