"""Wait for a condition instead of a fixed time."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_until(condition: Callable[[], bool], what: str, within_s: float = 90) -> None:
    """Return once `condition()` is true. Raises AssertionError with `what` after `within_s` seconds."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"timed out after {within_s} s, waiting for: {what}")
        time.sleep(0.01)
