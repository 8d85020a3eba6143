"""Decide for all feeds of a local run, with the same `decide()` as in a cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from deltastream_operator.domain.decide import Choice, Current, Decision, decide
from deltastream_operator.domain.feed import Component, Feed
from deltastream_operator.domain.signals import WAITING, Reading

ORDER: tuple[Component, ...] = ("enricher", "generator")  # start order: readers first


class Scaling:
    """Keeps the requested replicas and applies decisions. `apply` must be idempotent."""

    def __init__(
        self,
        feeds: Sequence[Feed],
        apply: Callable[[Feed, Component, int], None],
        say: Callable[[str], None],
        now: Callable[[], datetime],
    ) -> None:
        self._feeds = {feed.name: feed for feed in feeds}
        self._apply, self._say, self._now = apply, say, now
        self._requested: dict[str, dict[Component, int | None]] = {feed.name: {} for feed in feeds}
        self._announced: dict[tuple[str, Component], int] = {}

    @property
    def feeds(self) -> Mapping[str, Feed]:
        """Return the feeds by name, with their changes."""
        return self._feeds

    def change(self, feed: Feed) -> None:
        """Replace the feed of this name. The next decision uses it."""
        self._feeds[feed.name] = feed

    def add(self, feed: Feed) -> None:
        """Add a feed, and apply its first replicas."""
        self._feeds[feed.name] = feed
        self._requested[feed.name] = {}
        for component in ORDER:
            self._request(feed, component, self.first(feed).of(component).target or 0)

    def first(self, feed: Feed) -> Decision:
        """Return the decision for the start, before the load is known."""
        return decide(feed, WAITING, Current(), self._now())

    def start(self) -> None:
        """Apply the first replicas of every feed."""
        for component in ORDER:
            for feed in self._feeds.values():
                self._request(feed, component, self.first(feed).of(component).target or 0)

    def decide(self, readings: Mapping[str, Reading]) -> dict[str, Decision]:
        """Return a decision for every feed, by name."""
        decisions = {}
        for feed in self._feeds.values():
            requested = self._requested[feed.name]
            current = Current(generator=requested.get("generator"), enricher=requested.get("enricher"))
            decisions[feed.name] = decide(feed, readings[feed.name], current, self._now())
        return decisions

    def carry_out(self, decisions: Mapping[str, Decision]) -> None:
        """Apply the decisions. Print each change with its reason."""
        for name, decision in decisions.items():
            for component in ORDER:
                self._carry_out(self._feeds[name], decision.of(component))

    def _carry_out(self, feed: Feed, choice: Choice) -> None:
        key = (feed.name, choice.component)
        if choice.target is not None and choice.target != choice.before:
            self._say(f"{feed.name}: {choice.text()}")
            self._request(feed, choice.component, choice.target)
        elif choice.desired != self._announced.get(key, choice.before):
            self._say(f"{feed.name}: {choice.text()}")
        self._announced[key] = choice.desired

    def _request(self, feed: Feed, component: Component, replicas: int) -> None:
        self._apply(feed, component, replicas)
        self._requested[feed.name][component] = replicas
