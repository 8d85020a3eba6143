"""Limits on connections, in total and per address. New connections may replace idle ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from socket_gateway.chassis.addresses import network


def client_address(peer: str, forwarded: str, trusted_proxies: int) -> str:
    """Return the address to which a request is attributed: the peer's, or the one that the outermost of
    `trusted_proxies` proxies reports in X-Forwarded-For (`forwarded`).

    For IPv6 it is the /64, because one customer owns all of it.
    """
    hops = [hop.strip() for hop in forwarded.split(",")]
    shown = hops[-trusted_proxies] if 0 < trusted_proxies <= len(hops) else peer
    return network(shown) or peer


class Places:
    """At most `most` holders in total, and `per_address` from one address.

    A holder with an `evict` callback is idle. A new holder may replace it; the one idle longest goes first.
    """

    def __init__(self, most: int, per_address: int) -> None:
        self._most, self._per_address = most, per_address
        self._held: dict[Any, str] = {}
        self._by_address: dict[str, dict[Any, Callable[[], object] | None]] = {}
        self._idle: dict[Any, None] = {}

    def __len__(self) -> int:
        return len(self._held)

    def take(self, holder: Any, address: str, evict: Callable[[], object] | None) -> bool:
        """Give `holder` a place, if necessary by evicting an idle holder. Returns False if all are busy."""
        own = self._by_address.get(address, {})
        if len(own) >= self._per_address:
            idle = next((one for one, callback in own.items() if callback is not None), None)
        elif len(self._held) >= self._most:
            idle = next(iter(self._idle), None)
        else:
            idle = holder  # a place is free
        if idle is None:
            return False
        if idle is not holder:
            callback = self._by_address[self._held[idle]][idle]
            self.leave(idle)
            if callback is not None:
                callback()
        self._held[holder] = address
        self._by_address.setdefault(address, {})[holder] = evict
        if evict is not None:
            self._idle[holder] = None
        return True

    def keep(self, holder: Any) -> None:
        """Mark `holder` as busy: it cannot be evicted."""
        self._mark(holder, None)

    def idle(self, holder: Any, evict: Callable[[], object]) -> None:
        """Mark `holder` as idle: it can be evicted, after all that are idle already."""
        self._mark(holder, evict)

    def leave(self, holder: Any) -> None:
        """Release the holder's place. Idempotent."""
        address = self._held.pop(holder, None)
        self._idle.pop(holder, None)
        if address is not None:
            own = self._by_address[address]
            del own[holder]
            if not own:
                del self._by_address[address]

    def _mark(self, holder: Any, evict: Callable[[], object] | None) -> None:
        if holder not in self._held:
            return
        own = self._by_address[self._held[holder]]
        del own[holder]
        own[holder] = evict
        self._idle.pop(holder, None)
        if evict is not None:
            self._idle[holder] = None
