"""Test `decide`: replicas and their reason, from the spec, the signals and the current replicas."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.support.feeds import IDLE, NOON, a_feed, load

from deltastream_operator.domain.capacity import ASSUMED_SERVICE_S, service_seconds
from deltastream_operator.domain.decide import Current, decide
from deltastream_operator.domain.feed import (
    MODES,
    Enricher,
    External,
    Feed,
    Generator,
    Kite,
    Mode,
    Synthetic,
    Target,
)
from deltastream_operator.domain.pause import PauseRequest
from deltastream_operator.domain.signals import Reading, Signals, Unknown

OUTAGE = Unknown(reason="RedisUnreachable", message="redis does not answer")


def enrichers(feed: Feed, reading: Reading, now: int | None = 1) -> tuple[int | None, str, str | None]:
    """Return the enrichers to apply, the reason, and the bound that limited them."""
    choice = decide(feed, reading, Current(generator=1, enricher=now), NOON).enricher
    return choice.target, choice.reason, choice.limited_by


def test_arrivals_are_processed_at_the_target_utilization() -> None:
    """replicas = arrivals/s x service time ÷ (concurrency x utilization), rounded up."""
    feed = a_feed(concurrency_per_replica=2, target=Target(utilization_percent=50))
    assert enrichers(feed, load(arrivals_per_second=3000)) == (3, "ArrivalRate", None)
    assert enrichers(feed, load(arrivals_per_second=3001)) == (4, "ArrivalRate", None)


def test_a_backlog_adds_enrichers_that_process_it_within_catch_up_seconds() -> None:
    """Adds backlog x service time ÷ (concurrency x catchUpSeconds). Unread and pending entries both count."""
    feed = a_feed(target=Target(utilization_percent=100, catch_up_seconds=10))
    assert enrichers(feed, load(arrivals_per_second=1500)) == (2, "ArrivalRate", None)
    assert enrichers(feed, load(arrivals_per_second=1500, lag=9_000, pending=6_000)) == (
        3,
        "BacklogCatchUp",
        None,
    )


def test_replicas_stay_within_the_bounds_and_the_bound_is_reported() -> None:
    """At maxReplicas the reason is still the load; at minReplicas the reason is MinReplicas."""
    feed = a_feed(min_replicas=2, max_replicas=5)
    assert enrichers(feed, load(lag=10_000_000)) == (5, "BacklogCatchUp", "MaxReplicas")
    assert enrichers(feed, IDLE) == (2, "MinReplicas", "MinReplicas")
    assert enrichers(a_feed(min_replicas=0), IDLE) == (0, "ArrivalRate", None)


def test_without_a_processed_batch_a_service_time_is_assumed() -> None:
    """Unknown is not zero: the first backlog adds enrichers at once, and the text says "assumed"."""
    feed = a_feed(min_replicas=0, target=Target(catch_up_seconds=1))
    entries = round(2.5 / ASSUMED_SERVICE_S)
    decision = decide(feed, load(lag=entries, service_seconds=None), Current(), NOON)
    assert decision.enricher.target == 3
    assert "assumed: no batch yet" in decision.enricher.text()


def test_unknown_signals_keep_the_current_replicas() -> None:
    """An error does not count as zero load. Only the bounds of the spec still apply."""
    feed = a_feed(min_replicas=1, max_replicas=8)
    assert enrichers(feed, OUTAGE, 5) == (5, "SignalsUnknown", None)
    assert enrichers(feed, OUTAGE, None) == (1, "SignalsUnknown", "MinReplicas")
    assert enrichers(feed, OUTAGE, 9) == (8, "SignalsUnknown", "MaxReplicas")


@pytest.mark.parametrize("mode", MODES)
def test_an_external_feed_has_enrichers_only(mode: Mode) -> None:
    """Another program writes the messages, so generators that still exist are removed."""
    feed = replace(
        a_feed(mode, replicas=1, products=3), source=External(), generator=Generator(min_replicas=2)
    )
    decision = decide(feed, load(arrivals_per_second=1500), Current(), NOON)
    assert (decision.generator.target, decision.generator.reason) == (0, "ExternalSource")
    assert decision.enricher.target
    later = decide(feed, IDLE, Current(generator=2, enricher=1), NOON).generator
    assert (later.desired, later.target) == (0, None if mode == "Recommend" else 0)


def test_manual_applies_the_replicas_of_the_spec() -> None:
    """Mode Manual ignores minReplicas and maxReplicas, because a person chose the number."""
    for replicas in (0, 3, 50):
        assert enrichers(a_feed("Manual", replicas=replicas), OUTAGE) == (replicas, "ManualReplicas", None)


def test_external_replicas_stay_within_the_bounds() -> None:
    """Another scaler writes replicas through /scale. The bounds limit what it can request."""
    assert enrichers(a_feed("External", replicas=3), OUTAGE) == (3, "ExternalReplicas", None)
    assert enrichers(a_feed("External", replicas=0), OUTAGE) == (1, "ExternalReplicas", "MinReplicas")
    assert enrichers(a_feed("External", replicas=50), OUTAGE) == (20, "ExternalReplicas", "MaxReplicas")


def test_recommend_reports_and_changes_nothing() -> None:
    """Existing workloads keep their replicas. The recommendation is in the decision."""
    choice = decide(
        a_feed("Recommend"), load(arrivals_per_second=1400), Current(generator=1, enricher=7), NOON
    )
    assert (choice.enricher.desired, choice.enricher.target) == (2, None)
    assert (choice.generator.desired, choice.generator.target) == (1, None)
    assert "enricher 7 -> 2 (recommended): ArrivalRate" in choice.enricher.text()


def test_recommend_creates_missing_workloads() -> None:
    """Otherwise a new feed would never run. It starts at `replicas` if that is set, else at minReplicas."""
    assert enrichers(a_feed("Recommend", replicas=4), IDLE, None)[0] == 4
    assert enrichers(a_feed("Recommend", min_replicas=2), IDLE, None)[0] == 2


def test_a_paused_feed_is_not_changed() -> None:
    """Scaling resumes automatically when the time in paused-until has passed."""
    feed = replace(a_feed(), pause=PauseRequest(until=NOON + timedelta(minutes=1)))
    busy = load(lag=10_000_000)
    decision = decide(feed, busy, Current(generator=1, enricher=2), NOON)
    assert (decision.enricher.target, decision.enricher.desired, decision.enricher.reason) == (
        None,
        2,
        "Paused",
    )
    assert decision.generator.target is None
    later = decide(feed, busy, Current(generator=1, enricher=2), NOON + timedelta(minutes=1))
    assert later.enricher.target == 20


def test_the_text_explains_every_stage() -> None:
    """A reader of the text sees why the result is 5 and not 6."""
    feed = a_feed(max_replicas=5, target=Target(utilization_percent=50, catch_up_seconds=2))
    reading = load(arrivals_per_second=2500.0, lag=1900, pending=100)
    assert decide(feed, reading, Current(enricher=1), NOON).enricher.text() == (
        "enricher 1 -> 5: BacklogCatchUp: 2500.0 arrivals/s at 1000 µs each, concurrency 1, "
        "target 50 % busy: 5.00; "
        "backlog 2000 (1900 unread, 100 pending) within 2 s: 1.00; sum, rounded up: 6; "
        "lowered to maxReplicas 5"
    )


@pytest.mark.parametrize(
    ("products", "least", "most", "per", "wanted", "limit"),
    [
        (7, 0, 8, 50, 1, None),
        (50, 0, 8, 50, 1, None),
        (51, 0, 8, 50, 2, None),
        (500, 0, 8, 50, 8, "MaxReplicas"),
        (7, 3, 8, 50, 3, "MinReplicas"),
        (7, 0, 0, 50, 0, "MaxReplicas"),
        (2, 5, 8, 50, 2, "MinReplicas"),
    ],
)
def test_generators_follow_products(
    products: int, least: int, most: int, per: int, wanted: int, limit: str | None
) -> None:
    """generators = ceil(products / productsPerReplica), within min..max and at most one for each product."""
    spec = Generator(min_replicas=least, max_replicas=most, products_per_replica=per)
    feed = replace(a_feed(products=products), generator=spec)
    choice = decide(feed, OUTAGE, Current(), NOON).generator
    assert (choice.target, choice.limited_by, choice.reason) == (wanted, limit, "ProductCount")


@pytest.mark.parametrize(("products", "least", "wanted"), [(500, 1, 3), (500, 8, 3), (2, 8, 2), (20, 1, 1)])
def test_a_kite_feed_has_no_more_generators_than_kite_allows_connections(
    products: int, least: int, wanted: int
) -> None:
    """All generators of a feed share one API key, which has three connections."""
    spec = Generator(min_replicas=least, max_replicas=8)
    feed = replace(a_feed(products=products), generator=spec, source=Kite())
    assert decide(feed, OUTAGE, Current(), NOON).generator.target == wanted


signals = st.builds(
    Signals,
    lag=st.integers(0, 10**9),
    pending=st.integers(0, 10**6),
    oldest_seconds=st.floats(0, 10**6),
    queued_tasks=st.integers(0, 1000),
    arrivals_per_second=st.floats(0, 10**6),
    service_seconds=st.none() | st.floats(1e-7, 100),
)
readings = signals | st.just(OUTAGE)
bounds = st.tuples(st.integers(0, 1000), st.integers(0, 1000)).map(sorted)
feeds = st.builds(
    lambda mode, within, products, shards, per, slots, replicas, target, paused: Feed(
        name="a",
        products=tuple(f"P{n}" for n in range(products)),
        source=Synthetic(),
        mode=mode,
        generator=Generator(min_replicas=shards[0], max_replicas=shards[1], products_per_replica=per),
        enricher=Enricher(
            min_replicas=within[0],
            max_replicas=within[1],
            replicas=replicas,
            concurrency_per_replica=slots,
            target=target,
        ),
        pause=PauseRequest(paused=paused),
    ),
    st.sampled_from(MODES),
    bounds,
    st.integers(1, 500),
    st.tuples(st.integers(0, 500), st.integers(0, 500)).map(sorted),
    st.integers(1, 500),
    st.integers(1, 64),
    st.integers(0, 1000),
    st.builds(Target, utilization_percent=st.integers(1, 100), catch_up_seconds=st.integers(1, 3600)),
    st.booleans(),
)
currents = st.builds(
    Current, generator=st.none() | st.integers(0, 500), enricher=st.none() | st.integers(0, 1000)
)


@given(feeds, readings, currents)
def test_desired_replicas_are_within_the_bounds(feed: Feed, reading: Reading, current: Current) -> None:
    """min <= desired <= max, except in mode Manual and while the feed is paused."""
    decision = decide(feed, reading, current, NOON)
    if decision.paused:
        return
    generator, enricher = feed.generator, feed.enricher
    floor = min(generator.min_replicas, len(feed.products))
    assert floor <= decision.generator.desired <= min(generator.max_replicas, len(feed.products)) or floor > (
        generator.max_replicas
    )
    if feed.mode != "Manual":
        assert enricher.min_replicas <= decision.enricher.desired <= enricher.max_replicas


@given(feeds, currents)
def test_unknown_signals_never_scale_down(feed: Feed, current: Current) -> None:
    """Only a maxReplicas below the current replicas reduces them."""
    choice = decide(replace(feed, mode="Automatic"), OUTAGE, current, NOON).enricher
    assert choice.desired >= min(current.enricher or 0, feed.enricher.max_replicas)


@given(feeds, signals, st.integers(0, 10**6), currents)
def test_a_longer_backlog_never_reduces_the_enrichers(
    feed: Feed, reading: Signals, more: int, current: Current
) -> None:
    """The desired enrichers grow monotonically with both unread and pending entries."""
    before = decide(feed, reading, current, NOON).enricher.desired
    for longer in (
        replace(reading, lag=reading.lag + more),
        replace(reading, pending=reading.pending + more),
    ):
        assert decide(feed, longer, current, NOON).enricher.desired >= before


@given(feeds, readings, currents)
def test_a_decision_is_stable_after_it_is_applied(feed: Feed, reading: Reading, current: Current) -> None:
    """With its own result as the current replicas, `decide` returns the same replicas: no flapping."""
    # At its start, mode Recommend applies other replicas than it recommends.
    assume(feed.mode != "Recommend" or current.enricher is not None)
    first = decide(feed, reading, current, NOON)
    done = Current(
        generator=current.generator if first.generator.target is None else first.generator.target,
        enricher=current.enricher if first.enricher.target is None else first.enricher.target,
    )
    second = decide(feed, reading, done, NOON)
    assert (second.generator.desired, second.enricher.desired) == (
        first.generator.desired,
        first.enricher.desired,
    )
    assert second.enricher.target in (None, done.enricher)


@given(st.integers(1, 10**6), st.floats(1e-6, 1e-3), st.integers(1, 256), st.integers(1, 256))
def test_service_time_does_not_depend_on_the_batch_size(
    batches: int, per_entry: float, size: int, other: int
) -> None:
    """Otherwise small batches, as of a quiet feed or of too many enrichers, would add enrichers."""
    from deltastream_operator.domain.capacity import BATCH_OVERHEAD_ENTRIES as OVERHEAD

    def measured(entries_a_batch: int) -> float:
        entries = batches * entries_a_batch
        busy_us = (entries + OVERHEAD * batches) * per_entry * 1e6
        found = service_seconds(entries=entries, batches=batches, busy_us=round(busy_us))
        assert found is not None
        return found

    assert measured(size) == pytest.approx(measured(other), rel=0.1)


def test_service_time_is_unknown_before_the_first_entry() -> None:
    """The function returns None: it neither divides by zero nor returns 0."""
    for numbers in ((0, 0, 0), (5, 0, 10), (0, 5, 10), (5, 1, 0)):
        assert service_seconds(entries=numbers[0], batches=numbers[1], busy_us=numbers[2]) is None
