"""How hard the readers and Redis' memory press on the market: one number for both.

Entries measure how far one feed's readers are behind. They say nothing about memory, which all feeds share: a
chain is hundreds of times as large as a tick. So whichever of the two presses harder counts.
"""

from __future__ import annotations

from typing import Final

CONFLATE: Final = 1.0
HALF_SPEED: Final = 1.5
DROP_QUOTES: Final = 2.0
PAUSE: Final = 3.0

# Share of `maxmemory` in use, and what follows. The streams stop growing at four fifths. The last fifth is
# for what generators append between two looks, for the Celery queues, the cache and the dead letters.
_MEMORY_STEPS: Final = ((0.8, PAUSE), (0.7, DROP_QUOTES), (0.6, HALF_SPEED), (0.5, CONFLATE))


def pressure(backlog: int, high_water: int, memory: float | None) -> float:
    """1 = conflate quotes, 1.5 = half speed, 2 = drop quotes, 3 = the market pauses; less than 1 = none.

    `backlog`, `high_water`: entries that are not processed yet, and the number at which quotes are conflated.
    `memory`: share of Redis' `maxmemory` in use; None if there is no such limit or it cannot be read.
    Entries alone never pause the market: ticks and chains go as long as there is memory for them.
    """
    from_memory = next((step for share, step in _MEMORY_STEPS if memory is not None and memory >= share), 0.0)
    return max(min(backlog / high_water, DROP_QUOTES), from_memory)
