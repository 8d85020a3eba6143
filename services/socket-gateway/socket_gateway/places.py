"""Who may hold a place, by address and in all; who waits for nothing gives way to who comes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from socket_gateway.chassis.addresses import network


def origin_of(peer: str, forwarded: str, trusted_proxies: int) -> str:
    """The address that a request counts for: the peer's, or what the outermost trusted proxy saw.

    An IPv6 customer has a whole /64, so that is what counts.
    """
    hops = [hop.strip() for hop in forwarded.split(",")]
    shown = hops[-trusted_proxies] if 0 < trusted_proxies <= len(hops) else peer
    return network(shown) or peer


class Places:
    """At most `most` holders, and `per_address` of one address.

    A holder with an `evict` may lose its place to a newcomer, the longest holder first.
    """

    def __init__(self, most: int, per_address: int) -> None:
        self._most, self._per_address = most, per_address
        self._held: dict[Any, str] = {}
        self._by_address: dict[str, dict[Any, Callable[[], object] | None]] = {}
        self._idle: dict[Any, None] = {}

    def __len__(self) -> int:
        return len(self._held)

    def take(self, holder: Any, address: str, evict: Callable[[], object] | None) -> bool:
        """Give `holder` a place, taking it from an idle one if need be; False if there is none."""
        own = self._by_address.get(address, {})
        if len(own) >= self._per_address:
            idle = next((one for one, way_out in own.items() if way_out is not None), None)
        elif len(self._held) >= self._most:
            idle = next(iter(self._idle), None)
        else:
            idle = holder  # nobody has to go
        if idle is None:
            return False
        if idle is not holder:
            way_out = self._by_address[self._held[idle]][idle]
            self.leave(idle)
            if way_out is not None:
                way_out()
        self._held[holder] = address
        self._by_address.setdefault(address, {})[holder] = evict
        if evict is not None:
            self._idle[holder] = None
        return True

    def keep(self, holder: Any) -> None:
        """From now on `holder` gives way to nobody."""
        self._mark(holder, None)

    def idle(self, holder: Any, evict: Callable[[], object]) -> None:
        """From now on `holder` gives way, as the last of those that do."""
        self._mark(holder, evict)

    def leave(self, holder: Any) -> None:
        """Give the place back (again is harmless)."""
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
