"""Compute replicas before any bound: generators from the products, enrichers from the load."""

from __future__ import annotations

from dataclasses import dataclass

from deltastream_operator.domain.feed import KITE_CONNECTIONS, Enricher, External, Feed, Generator, Kite
from deltastream_operator.domain.signals import Signals

# Measured with scripts/bench.py on 2 shared, busy cores (2026-11-25): batches of 1, 3, 11, 30 and 250 entries
# took 5.0, 7.9, 14.4, 21.9 and 40.6 ms of worker time. Least squares: 5.8 ms a batch and 167 µs an entry.
# The constant is the ratio of the two and not the times, because the ratio depends little on the machine.
BATCH_OVERHEAD_ENTRIES = 35.0
# Worker time of an entry in a full batch, assumed until the first batch is counted.
ASSUMED_SERVICE_S = 0.000_2
# The enricher's BATCH_ENTRIES. Under load, batches grow up to this size.
FULL_BATCH_ENTRIES = 256


@dataclass(frozen=True, kw_only=True)
class Demand:
    """The enrichers that the load needs, as fractions of a replica, with an explanation in `steps`."""

    arrivals: float
    catch_up: float
    steps: tuple[str, ...]


def service_seconds(*, entries: int, batches: int, busy_us: int) -> float | None:
    """Return the worker time in seconds that an entry takes in a full batch, or None without entries.

    The arguments are increments of the enrichers' counters. The quotient busy / entries would be wrong: under
    low load batches are small, so each entry bears the overhead of a whole batch. More replicas make batches
    even smaller, so the quotient would rise with every enricher that it asks for.
    """
    if entries <= 0 or batches <= 0 or busy_us <= 0:
        return None
    per_entry = busy_us / 1e6 / (entries + BATCH_OVERHEAD_ENTRIES * batches)
    return per_entry * (1 + BATCH_OVERHEAD_ENTRIES / FULL_BATCH_ENTRIES)


def generators(feed: Feed) -> int:
    """Return the generators that the products need: none if another program writes the messages."""
    if isinstance(feed.source, External):
        return 0
    per: Generator = feed.generator
    return min(-(-len(feed.products) // per.products_per_replica), most_generators(feed))


def most_generators(feed: Feed) -> int:
    """Return the generators beyond which one would idle: one for each product, and for each connection."""
    products = len(feed.products)
    return min(products, KITE_CONNECTIONS) if isinstance(feed.source, Kite) else products


def enrichers(spec: Enricher, signals: Signals) -> Demand:
    """Return the enrichers for the arrivals, plus those that process the backlog within catchUpSeconds."""
    known = signals.service_seconds
    service = ASSUMED_SERVICE_S if known is None else known
    slots, target = spec.concurrency_per_replica, spec.target
    busy = signals.arrivals_per_second * service
    arrivals = busy * 100 / (slots * target.utilization_percent)
    catch_up = signals.backlog * service / (slots * target.catch_up_seconds)
    each = f"{service * 1e6:.0f} µs" + (" (assumed: no batch yet)" if known is None else "")
    return Demand(
        arrivals=arrivals,
        catch_up=catch_up,
        steps=(
            f"{signals.arrivals_per_second:.1f} arrivals/s at {each} each, concurrency {slots}, "
            f"target {target.utilization_percent} % busy: {arrivals:.2f}",
            f"backlog {signals.backlog} ({signals.lag} unread, {signals.pending} pending) "
            f"within {target.catch_up_seconds} s: {catch_up:.2f}",
        ),
    )
