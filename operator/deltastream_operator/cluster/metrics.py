"""The operator's Prometheus metrics. Labels name feeds, never symbols."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from deltastream_operator.domain.decide import Current, Decision
from deltastream_operator.domain.feed import COMPONENTS
from deltastream_operator.domain.observed import Facts
from deltastream_operator.domain.signals import Reading, Unknown


class Metrics:
    """The metrics of one process, with a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        of, labels = self.registry, ["feed", "component"]
        self._desired = Gauge("operator_desired_replicas", "Replicas decided", labels, registry=of)
        self._requested = Gauge("operator_asked_replicas", "Replicas requested", labels, registry=of)
        self._ready = Gauge("operator_ready_replicas", "Replicas that are ready", labels, registry=of)
        self._lag = Gauge("operator_stream_lag_entries", "Entries not yet read", ["feed"], registry=of)
        self._pending = Gauge("operator_stream_pending_entries", "Pending entries", ["feed"], registry=of)
        self._oldest = Gauge("operator_oldest_seconds", "Age of the oldest open entry", ["feed"], registry=of)
        self._shown: dict[tuple[str, str], tuple[float, ...]] = {}
        self.decisions = Counter(
            "operator_decisions", "Decisions that changed something", ["reason"], registry=of
        )
        self.signal_errors = Counter(
            "operator_signal_errors", "Readings that failed", ["reason"], registry=of
        )
        self.api_writes = Counter(
            "operator_api_writes", "Writing calls to the API server", ["verb"], registry=of
        )
        self.visit_errors = Counter("operator_visit_errors", "Failed reconciliations of a feed", registry=of)
        self.repairs = Counter(
            "operator_watch_repairs", "Feeds whose change a list found and the watch missed", registry=of
        )
        self.events_dropped = Counter("operator_events_dropped", "Events that were not posted", registry=of)
        self.lateness = Histogram(
            "operator_tick_lateness_seconds",
            "How late a tick began",
            registry=of,
            buckets=(0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10),
        )

    def wrote(self, verb: str) -> None:
        """Count a writing call to the API server."""
        self.api_writes.labels(verb).inc()

    def show(self, feed: str, decision: Decision, facts: Facts) -> None:
        """Set the replicas of a feed."""
        for component in COMPONENTS:
            choice, ready = decision.of(component), facts.of(component).ready
            if self._has_changed(feed, component, choice.desired, choice.requested, ready):
                self._desired.labels(feed, component).set(choice.desired)
                self._requested.labels(feed, component).set(choice.requested)
                self._ready.labels(feed, component).set(ready)

    def show_undecided(self, feed: str, current: Current, facts: Facts) -> None:
        """Set the replicas of a feed whose spec cannot be applied. Its workloads keep running."""
        for component in COMPONENTS:
            self._shown.pop((feed, component), None)
            self._desired.remove(feed, component)
            self._requested.labels(feed, component).set(current.of(component) or 0)
            self._ready.labels(feed, component).set(facts.of(component).ready)

    def show_load(self, feed: str, reading: Reading) -> None:
        """Set a feed's load. An unknown load has no series, because alerts would use an outdated value."""
        if isinstance(reading, Unknown):
            self._shown.pop((feed, "load"), None)
            for gauge in (self._lag, self._pending, self._oldest):
                gauge.remove(feed)
            return
        if not self._has_changed(feed, "load", reading.lag, reading.pending, reading.oldest_seconds):
            return
        self._lag.labels(feed).set(reading.lag)
        self._pending.labels(feed).set(reading.pending)
        self._oldest.labels(feed).set(reading.oldest_seconds)

    def _has_changed(self, feed: str, what: str, *values: float) -> bool:
        """Return whether the values changed. Unchanged series are skipped: label lookups are expensive."""
        known = self._shown.get((feed, what))
        self._shown[feed, what] = values
        return known != values

    def forget(self, feed: str) -> None:
        """Remove the series of a deleted feed."""
        for what in (*COMPONENTS, "load"):
            self._shown.pop((feed, what), None)
        for gauge in (self._lag, self._pending, self._oldest):
            gauge.remove_by_labels({"feed": feed})
        for gauge in (self._desired, self._requested, self._ready):
            gauge.remove_by_labels({"feed": feed})
