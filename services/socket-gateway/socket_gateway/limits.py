"""How often a client may ask."""

from __future__ import annotations

import time
from collections.abc import Callable


class TokenBucket:
    """`burst` requests at once, `rate` a second after that. `refused` counts refusals in a row."""

    def __init__(self, rate: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._clock = rate, float(burst), clock
        self._tokens, self._at = float(burst), clock()
        self.refused = 0

    def take(self, cost: float = 1) -> bool:
        """Whether one more request, or what costs as much as `cost` of them, is allowed now."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens < cost:
            self.refused += 1
            return False
        self._tokens -= cost
        self.refused = 0
        return True
