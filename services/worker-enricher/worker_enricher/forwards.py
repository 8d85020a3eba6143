"""Choose the parity forward with which a quote is enriched: the last one before it in the stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from worker_enricher.identity import cache_order
from worker_enricher.messages import Message, OptionChain, OptionQuote


class Forward(NamedTuple):
    """The parity forward of an expiry, its discount factor and the spot at that time; prices per share."""

    forward: float
    discount: float
    spot: float


def forwards_now(
    messages: Sequence[Message],
    made: Sequence[Forward | None],
    known: Mapping[tuple[str, str], Forward],
) -> Iterator[Forward | None]:
    """Yield for each quote the last forward of its expiry before it, scaled with the change of the spot.

    F/S changes slowly. A chain behind the quote does not count, so a result does not depend on how the
    messages were cut into batches.
    """
    last = {key: ("", forward) for key, forward in known.items()}
    chains = iter(made)
    for message in messages:
        if isinstance(message, OptionChain):
            forward, key = next(chains), (message.product, message.expiry)
            order = cache_order(message.replay, message.ts, message.mid)
            if forward is not None and order > last.get(key, ("", forward))[0]:
                last[key] = order, forward
        elif isinstance(message, OptionQuote):
            _, before = last.get((message.product, message.expiry), ("", None))
            yield before and _scaled(before, message.spot_price)


def _scaled(known: Forward, spot: float) -> Forward:
    return Forward(known.forward * spot / known.spot, known.discount, spot)


def expiries_needed(messages: Iterable[Message]) -> set[tuple[str, str]]:
    """Return the (product, expiry) pairs whose forwards the quotes among `messages` need."""
    return {(m.product, m.expiry) for m in messages if isinstance(m, OptionQuote)}
