"""Share the gateway's processing of pushes among the accounts that push."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from api_gateway.errors import BackPressure

AT_A_TIME = 4
"""Pushes that are processed at the same time, of the 16 requests that the gateway serves. Each takes the
processor for up to 0.2 s, and the other requests must not wait for many of them."""


class Turns:
    """Gives an account a turn while more turns are free than the account has, and refuses its other pushes.

    So one account alone has two of the four, and two that push without a pause leave one for a third.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.held = Counter[str]()
        """The turns of each account that has any."""

    @contextmanager
    def of(self, account: str) -> Iterator[None]:
        """Take a turn for the account, and give it back at the end. Raises BackPressure."""
        self._take(account)
        try:
            yield
        finally:
            with self._lock:
                self.held[account] -= 1
                self.held += Counter()  # drops the accounts without a turn

    def _take(self, account: str) -> None:
        with self._lock:
            own, taken = self.held[account], self.held.total()
            if own >= AT_A_TIME - taken:
                raise BackPressure(
                    f"the gateway processes {taken} pushes now, {own} of this account, and at most"
                    f" {AT_A_TIME}; an account gets one more while more are free than it has; wait as"
                    " Retry-After says, and send the same messages again",
                    1,
                )
            self.held[account] += 1
