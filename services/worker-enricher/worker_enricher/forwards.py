"""Choose the parity forward with which a quote is enriched: the last one before it in the stream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from worker_enricher.chassis.market_messages import Message, OptionChain, OptionQuote
from worker_enricher.identity import cache_order, series
from worker_enricher.results import Forward


def forwards_now(
    messages: Sequence[Message],
    made: Sequence[Forward | None],
    known: Mapping[tuple[str, str], Forward],
) -> Iterator[Forward | None]:
    """Yield for each quote the last forward of its expiry before it.

    `made` has the forward of each chain among `messages`, `known` those of earlier batches by (product,
    expiry). A chain behind the quote does not count, so a result does not depend on how the messages were
    cut into batches.
    """
    last = {key: ("", forward) for key, forward in known.items()}
    chains = iter(made)
    for message in messages:
        key = (message.product, getattr(message, "expiry", ""))
        if isinstance(message, OptionChain):
            forward = next(chains)
            order = cache_order(message.replay, message.ts, message.mid)
            if forward is not None and (key not in last or order > last[key][0]):
                last[key] = order, forward
        elif isinstance(message, OptionQuote):
            yield _now(message, last[key][1]) if key in last else None


def _now(quote: OptionQuote, known: Forward) -> Forward | None:
    """Return the forward scaled with the change of the spot: F/S changes slowly.

    A quote of another series that expires on the same date has no forward.
    """
    if known.series not in (None, series(quote)):
        return None
    now = known.forward * quote.spot_price / known.spot
    return Forward(now, known.discount, quote.spot_price, known.series)


def expiries_needed(messages: Iterable[Message]) -> set[tuple[str, str]]:
    """Return the (product, expiry) pairs whose forwards the quotes among `messages` need."""
    return {(m.product, m.expiry) for m in messages if isinstance(m, OptionQuote)}
