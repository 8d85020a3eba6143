"""Load to replicas, before any bound: how many generators the products need, how many enrichers the load."""

from __future__ import annotations

from dataclasses import dataclass

from deltastream_operator.domain.feed import Enricher, Feed, Generator
from deltastream_operator.domain.signals import Signals

# Measured with scripts/bench.py on 2 shared, busy cores (2026-11-25): batches of 1, 3, 11, 30 and 250 entries
# took 5.0, 7.9, 14.4, 21.9 and 40.6 ms of worker time. Least squares: 5.8 ms a batch and 167 µs an entry.
# The ratio of the two is kept, not the times: it depends little on the machine.
BATCH_OVERHEAD_ENTRIES = 35.0
# What an entry takes in a full batch as long as no batch was counted yet.
ASSUMED_SERVICE_S = 0.000_2
# The enricher's BATCH_ENTRIES: batches grow up to it under load.
FULL_BATCH_ENTRIES = 256


@dataclass(frozen=True, kw_only=True)
class Demand:
    """Enrichers wanted, as fractions of a replica, and the sentences that say why."""

    arrivals: float
    catch_up: float
    steps: tuple[str, ...]


def service_seconds(*, entries: int, batches: int, busy_us: int) -> float | None:
    """Worker time an entry takes in a full batch, from what the enrichers counted; None without entries.

    busy / entries would not do: with little to do batches are small, an entry then carries a batch's whole
    overhead, and more replicas make batches smaller still: one enricher too many would ask for the next.
    """
    if entries <= 0 or batches <= 0 or busy_us <= 0:
        return None
    per_entry = busy_us / 1e6 / (entries + BATCH_OVERHEAD_ENTRIES * batches)
    return per_entry * (1 + BATCH_OVERHEAD_ENTRIES / FULL_BATCH_ENTRIES)


def generators(feed: Feed) -> int:
    """Generators that the products need: never more than products, or one would idle."""
    per: Generator = feed.generator
    return min(-(-len(feed.products) // per.products_per_replica), len(feed.products))


def enrichers(spec: Enricher, signals: Signals) -> Demand:
    """Enrichers for what arrives, and on top those that work off what waits within catchUpSeconds."""
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
            f"{signals.arrivals_per_second:.1f} arrivals/s at {each} each, {slots} at once, "
            f"{target.utilization_percent} % busy: {arrivals:.2f}",
            f"backlog {signals.backlog} ({signals.lag} unread, {signals.pending} in work) "
            f"within {target.catch_up_seconds} s: {catch_up:.2f}",
        ),
    )
