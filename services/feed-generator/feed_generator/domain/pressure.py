"""Back-pressure as one number, from the backlog of the feed and the memory use of Redis.

The backlog counts the entries that the feed's workers have not processed. It does not measure memory: a chain
is hundreds of times as large as a tick, and all feeds share Redis' memory. The larger of the two pressures
applies.
"""

from __future__ import annotations

from typing import Final

CONFLATE: Final = 1.0
HALF_SPEED: Final = 1.5
DROP_QUOTES: Final = 2.0
PAUSE: Final = 3.0

# (share of `maxmemory` in use, pressure). The streams stop growing at 0.8. The rest of the memory is for the
# entries that generators append between two polls, the Celery queues, the cache and the dead letters.
_MEMORY_STEPS: Final = ((0.8, PAUSE), (0.7, DROP_QUOTES), (0.6, HALF_SPEED), (0.5, CONFLATE))


def pressure(backlog: int, high_water: int, memory: float | None) -> float:
    """Return the pressure; the constants CONFLATE to PAUSE say from which value each step applies.

    `backlog` is the number of unprocessed entries, and `high_water` the backlog at which quotes are
    conflated. `memory` is the share of Redis' `maxmemory` in use; None if there is no limit or it cannot be
    read. The backlog alone never pauses the market: ticks and chains are sent as long as Redis has memory for
    them.
    """
    from_memory = next((step for share, step in _MEMORY_STEPS if memory is not None and memory >= share), 0.0)
    return max(min(backlog / high_water, DROP_QUOTES), from_memory)
