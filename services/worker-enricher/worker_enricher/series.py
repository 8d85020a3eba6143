"""Refuse a second series under the name of a product's expiry date.

Symbols, cached chains and live events name a chain by product and expiry date. If a feed sent SPX and SPXW
under one name, both would overwrite each other there. The index in the cache keeps the first series of an
epoch (see set_if_newer.lua), and each worker refuses messages of another one. A newer epoch may correct the
terms of a contract. From then on an older one may not state the old terms: two programs that push would
otherwise take turns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from worker_enricher.chassis.market_messages import Message, Underlying
from worker_enricher.chassis.market_refusal import RefusedError
from worker_enricher.identity import series

Key = tuple[str, str]
"""Product and expiry date."""


class Known(NamedTuple):
    """The series that the cache has for a key, and the epoch of its message."""

    epoch: int
    series: str


class SeriesGuard:
    """Remembers the series of each product and expiry date. `read` returns those in the cache."""

    def __init__(self, read: Callable[[Sequence[Key]], Mapping[Key, Known]]) -> None:
        self._read = read
        self._known: dict[Key, Known] = {}

    def refusals(self, messages: Sequence[Message]) -> dict[int, RefusedError]:
        """Return the refusals, by position in `messages`. Reads the cache only for what it does not know."""
        contracts = [
            (at, (message.product, message.expiry), Known(_epoch(message.mid), series(message)))
            for at, message in enumerate(messages)
            if not isinstance(message, Underlying)
        ]
        unknown = sorted({key for _, key, ours in contracts if self._known.get(key) != ours})
        if unknown:
            if len(self._known) > 10_000:
                self._known.clear()
            self._known.update(self._read(unknown))
        return {
            at: _refusal(key, ours, theirs)
            for at, key, ours in contracts
            if (theirs := self._known.get(key))
            and theirs.epoch >= ours.epoch
            and theirs.series != ours.series
        }


def _epoch(mid: str) -> int:
    return int(mid[: mid.index(":")])


def _refusal(key: Key, ours: Known, theirs: Known) -> RefusedError:
    product, expiry = key
    return RefusedError(
        "inconsistent",
        f"$.product: {product} has another series on {expiry}: {theirs.series}, here: {ours.series}; "
        "give each root a product of its own, such as SPX and SPXW",
    )
