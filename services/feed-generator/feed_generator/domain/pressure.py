"""Back-pressure as one number, from a feed's backlog and from Redis' memory.

The backlog counts entries of one feed. It does not measure memory, which all feeds share, because a chain is
hundreds of times as large as a tick. The pressure is therefore the larger one of the two.
"""

from __future__ import annotations

from typing import Final

CONFLATE: Final = 1.0
HALF_SPEED: Final = 1.5
DROP_QUOTES: Final = 2.0
PAUSE: Final = 3.0

# Share of `maxmemory` in use, and the pressure at it. The streams stop growing at four fifths. The last fifth
# is for what generators append between two checks, for Celery's queues, the cache and the dead letters.
_MEMORY_STEPS: Final = ((0.8, PAUSE), (0.7, DROP_QUOTES), (0.6, HALF_SPEED), (0.5, CONFLATE))


def pressure(backlog: int, high_water: int, memory: float | None) -> float:
    """Return the pressure: 1 conflates quotes, 1.5 halves the speed, 2 drops quotes, 3 pauses the market.

    `backlog`, `high_water`: entries that are not processed yet, and the number at which quotes are conflated.
    `memory`: share of Redis' `maxmemory` in use; None if there is no such limit or it cannot be read.
    Less than 1 means no back-pressure. The backlog alone never pauses the market: ticks and chains are sent
    as long as Redis has memory.
    """
    from_memory = next((step for share, step in _MEMORY_STEPS if memory is not None and memory >= share), 0.0)
    return max(min(backlog / high_water, DROP_QUOTES), from_memory)
