"""Wait for a condition instead of a fixed time."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_until(condition: Callable[[], bool], what: str, within_s: float = 90) -> None:
    """Return once `condition()` is true. Raises AssertionError with `what` after `within_s` seconds.

    A slow condition, such as a call of kubectl, is checked only about half of the time, because it takes CPU
    from the processes that it waits for.
    """
    deadline = time.monotonic() + within_s
    while True:
        began = time.monotonic()
        if condition():
            return
        ended = time.monotonic()
        if ended > deadline:
            raise AssertionError(f"timed out after {within_s} s, waiting for: {what}")
        time.sleep(min(max(ended - began, 0.01), 0.5))
