"""Subscribe and unsubscribe channels in pieces, under the exchange's limits.

A subscribe request costs 3,000 credits. 30,000 are there at most, and 10,000 come back each second: a burst
of ten requests, then 3.3 a second. Beyond that the exchange answers `too_many_requests` and ends the session.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

CHANNELS_A_PIECE = 100
_BURST = 8.0
_PIECE_EVERY_NS = 350_000_000


class Piece(NamedTuple):
    """A request: the method and its channels."""

    method: str
    channels: tuple[str, ...]


class Subscriptions:
    """The channels of one connection: wanted, asked for, and confirmed by the exchange.

    The credit stays across connections, because the exchange counts requests by address.
    """

    def __init__(self) -> None:
        self._wanted: set[str] = set()
        self._asked: set[str] = set()
        self._confirmed: set[str] = set()
        self._unknown: set[str] = set()  # the exchange did not confirm them
        self._credit, self._credit_ns = _BURST, 0  # requests that may be sent, at that time

    def reset(self) -> None:
        """Forget everything: the connection is new."""
        for channels in (self._wanted, self._asked, self._confirmed, self._unknown):
            channels.clear()

    def want(self, channels: Iterable[str]) -> None:
        """Set all channels that are wanted from now on."""
        self._wanted = set(channels) - self._unknown

    @property
    def complete(self) -> bool:
        """True if the exchange has confirmed every wanted channel, and there is one."""
        return bool(self._wanted) and self._wanted <= self._confirmed

    @property
    def unknown(self) -> Collection[str]:
        """Channels that the exchange did not confirm, for example of a contract that it has delisted."""
        return self._unknown

    def next(self, now_ns: int) -> Piece | None:
        """Return the next request, or None if none is due."""
        self._credit = min(_BURST, self._credit + (now_ns - self._credit_ns) / _PIECE_EVERY_NS)
        self._credit_ns = now_ns
        new, old = self._wanted - self._asked, self._asked - self._wanted
        channels = tuple(sorted(new or old)[:CHANNELS_A_PIECE])
        if not channels or self._credit < 1:
            return None
        self._credit -= 1
        if new:
            self._asked.update(channels)
            return Piece("public/subscribe", channels)
        self._asked.difference_update(channels)
        self._confirmed.difference_update(channels)
        return Piece("public/unsubscribe", channels)

    def answered(self, piece: Piece, confirmed: Collection[str]) -> None:
        """Take the answer to a request. Channels that it does not name are not asked for again."""
        if piece.method != "public/subscribe":
            return
        self._confirmed.update(self._asked.intersection(confirmed))
        unknown = [channel for channel in piece.channels if channel not in confirmed]
        self._unknown.update(unknown)
        self._wanted.difference_update(unknown)
        self._asked.difference_update(unknown)
