"""Decide for all feeds of a local run, with the same `decide()` as in a cluster."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from deltastream_operator.domain.decide import Choice, Current, decide
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
        self._feeds, self._apply, self._say, self._now = feeds, apply, say, now
        self._requested: dict[str, dict[Component, int | None]] = {feed.name: {} for feed in feeds}
        self._announced: dict[tuple[str, Component], int] = {}

    def first(self, feed: Feed) -> dict[Component, int]:
        """Return the replicas to start with, before the load is known."""
        decision = decide(feed, WAITING, Current(), self._now())
        return {component: decision.of(component).target or 0 for component in ORDER}

    def start(self) -> None:
        """Apply the first replicas of every feed."""
        for component in ORDER:
            for feed in self._feeds:
                self._request(feed, component, self.first(feed)[component])

    def tick(self, readings: Mapping[str, Reading]) -> None:
        """Decide once for every feed. Print each change with its reason."""
        for feed in self._feeds:
            requested = self._requested[feed.name]
            current = Current(generator=requested.get("generator"), enricher=requested.get("enricher"))
            decision = decide(feed, readings[feed.name], current, self._now())
            for component in ORDER:
                self._carry_out(feed, decision.of(component))

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
