"""Decide for the feeds of a local run, publish their table, and change a feed when an operator asks for it.

OUTAGE POLICY: without Redis nothing is published and no request arrives; the decisions go on.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import redis

from deltastream_operator.domain import feeds_table, status
from deltastream_operator.domain.change import ACTIONS, Change, RefusedChange, changed, summary
from deltastream_operator.domain.decide import Decision
from deltastream_operator.domain.feed import MODES, SOURCES, Feed
from deltastream_operator.domain.feeds_table import Entry, History
from deltastream_operator.domain.observed import Facts
from deltastream_operator.domain.signals import WAITING, Reading, source_of
from deltastream_operator.domain.source_news import SourceNews
from deltastream_operator.local.scaling import Scaling
from deltastream_operator.redis_feeds import RedisFeeds

LASTS = "lasts until the local run ends: the next start reads the feed's file again"
_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request of the gateway (contract `feeds-request`). `expires_at` is in epoch seconds."""

    id: str
    feed: str
    change: Change
    account: str
    expires_at: int


def read_request(raw: bytes) -> Request:
    """Return a request. Raises ValueError, KeyError, TypeError or RecursionError if it is none."""
    body = json.loads(raw)
    action, mode, replicas = body["action"], body.get("mode"), body.get("replicas")
    rules = {
        "id": _ID.fullmatch(body["id"]),
        "account": _ID.fullmatch(body["account"]),
        "action": action in ACTIONS,
        "mode": mode is None or mode in MODES,
        "replicas": replicas is None or type(replicas) is int,
        "expires_at": type(body["expires_at"]) is int,
    }
    if broken := [field for field, kept in rules.items() if not kept]:
        raise ValueError(f"{', '.join(broken)} breaks the contract feeds-request")
    return Request(
        id=body["id"],
        feed=str(body["feed"]),
        change=Change(action=action, mode=mode, replicas=replicas),
        account=body["account"],
        expires_at=body["expires_at"],
    )


class Feeds:
    """The decisions of a local run as statuses, their table in Redis, and the requests from the gateway.

    `seen` returns the observed replicas of a feed.
    """

    def __init__(
        self,
        scaling: Scaling,
        store: RedisFeeds,
        *,
        seen: Callable[[Feed], Facts],
        say: Callable[[str], None],
        now: Callable[[], datetime],
    ) -> None:
        self._scaling, self._store, self._seen, self._say, self._now = scaling, store, seen, say, now
        self._history = History()
        self._statuses: dict[str, dict[str, Any]] = {}
        self._news = SourceNews()
        self._accepted: dict[str, str] = {}  # request id -> name of the feed that it changed
        self._answers = True  # whether Redis answered the last call: each further one would block too
        for feed in scaling.feeds.values():
            self._note(feed, scaling.first(feed))

    def add(self, feed: Feed) -> None:
        """Run a further feed until the local run ends."""
        with self._redis_may_be_away():
            self._store.forget_replay_commands([feed.name])
        self._scaling.add(feed)
        self._note(feed, self._scaling.first(feed))

    def take_requests(self) -> bool:
        """Change the feeds as asked. Returns whether a feed changed, so that a decision is due.

        Replies to refused requests at once; `tick` replies to the others, with the feed's new row.
        """
        requests: list[bytes] = []
        with self._redis_may_be_away():
            requests = self._store.take_requests()
        for raw in requests:
            try:
                request = read_request(raw)
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                self._say(f"a request to change a feed was dropped: {type(error).__name__}: {error!s:.100}")
                continue
            if request.expires_at >= self._now().timestamp():  # else the gateway waits no longer
                self._change(request)
        return bool(self._accepted)

    def tick(self, readings: Mapping[str, Reading]) -> None:
        """Decide once for every feed, publish the table, reply to requests, and apply the decisions.

        Applying comes last, because it may wait for processes to stop.
        """
        decisions = self._scaling.decide(readings)
        for name, decision in decisions.items():
            self._note(self._scaling.feeds[name], decision)
        entries = [
            Entry(name=name, feed=feed, status=self._statuses[name], reading=readings.get(name, WAITING))
            for name, feed in self._scaling.feeds.items()
        ]
        now = self._now()
        self._history.add(entries, now)
        table = feeds_table.build(entries, self._history, now=now, authority="local")
        if self._answers:
            with self._redis_may_be_away():  # the gateway reports requests without a reply
                self._store.publish(_json(table), feeds_table.external(entries))
                self._reply_to_accepted(entries)
        self._accepted.clear()
        self._scaling.carry_out(decisions)

    def _note(self, feed: Feed, decision: Decision) -> None:
        """Keep the status that a DeltaStreamFeed in a cluster would have."""
        previous = self._statuses.get(feed.name, {})
        facts = self._seen(feed)
        facts = replace(
            facts, source=source_of(feed, decision.reading, decision.generator.requested, facts.generator)
        )
        for change in self._news.of(feed.name, facts.source, previous.get("conditions", [])):
            self._say(f"{feed.name}: {change.type} {change.status}: {change.reason}: {change.message}")
        kind = SOURCES[type(feed.source)]
        built = status.build(previous, decision, facts, source=kind, generation=1, selector="")
        self._statuses[feed.name] = built

    def _change(self, request: Request) -> None:
        feed = self._scaling.feeds.get(request.feed)
        if feed is None:
            self._refuse(request, 404, f"no feed {request.feed!r:.50} in this local run")
            return
        try:
            feed = changed(feed, request.change)
        except RefusedChange as refusal:
            self._refuse(request, 400, str(refusal))
            return
        self._scaling.change(feed)
        self._accepted[request.id] = feed.name
        self._say(f"{summary(feed)}: asked by account {request.account}; {LASTS}")

    def _reply_to_accepted(self, entries: list[Entry]) -> None:
        known = {entry.name: entry for entry in entries}
        for request_id, name in self._accepted.items():
            shown = feeds_table.row(known[name], self._history.of(name))
            detail = f"{summary(self._scaling.feeds[name])}; {LASTS}"
            self._store.reply(request_id, _json({"status": 200, "feed": shown, "detail": detail}))

    def _refuse(self, request: Request, status: int, detail: str) -> None:
        with self._redis_may_be_away():
            self._store.reply(request.id, _json({"status": status, "detail": detail}))

    @contextlib.contextmanager
    def _redis_may_be_away(self) -> Iterator[None]:
        try:
            yield
        except redis.RedisError:
            self._answers = False
        else:
            self._answers = True


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
