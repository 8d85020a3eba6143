"""Exact accounting: what was appended to the streams against what is stored, message by message."""

from __future__ import annotations

import json
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

import redis
from pymongo.database import Database

COLLECTIONS = ("underlying_ticks", "option_quotes", "option_chains")


def parse(mid: str) -> tuple[int, int]:
    """Epoch and number within it."""
    epoch, _, seq = mid.partition(":")
    return int(epoch), int(seq)


class Audit(threading.Thread):
    """Notes the mid of every entry of some feeds' streams, by reading them beside the enrichers.

    It belongs to no consumer group, so it changes nothing; while Redis is away it waits.
    """

    def __init__(self, client: redis.Redis, feeds: Iterable[str]) -> None:
        super().__init__(daemon=True)
        self._client, self._stop_asked = client, threading.Event()
        self._at = {f"feed:{feed}": "0-0" for feed in feeds}
        self.appended: dict[str, set[tuple[int, int]]] = {feed: set() for feed in feeds}

    def run(self) -> None:
        while not self._stop_asked.is_set():
            try:
                for key, entries in self._client.xread(self._at, count=5000, block=100):
                    self._note(key, entries)
            except redis.RedisError:
                self._stop_asked.wait(0.05)

    def _note(self, key: str, entries: list[tuple[str, dict[str, str]]]) -> None:
        mids = {parse(json.loads(fields["body"])["mid"]) for _, fields in entries}
        self.appended[key.removeprefix("feed:")] |= mids
        self._at[key] = entries[-1][0]

    def stop(self) -> None:
        self._stop_asked.set()
        self.join(timeout=10)


def stored(database: Database[dict[str, Any]], feed: str) -> Counter[tuple[int, int]]:
    """How often each message of a feed is stored, over all collections."""
    return Counter(
        parse(document["mid"])
        for name in COLLECTIONS
        for document in database[name].find({"feed": feed}, {"mid": 1})
    )


def lost(appended: set[tuple[int, int]], found: Counter[tuple[int, int]]) -> list[tuple[int, int]]:
    """Messages up to the last appended one of each epoch that are not stored: names have no holes."""
    last: dict[int, int] = defaultdict(int)
    for epoch, seq in appended:
        last[epoch] = max(last[epoch], seq)
    due = {(epoch, seq) for epoch, end in last.items() for seq in range(1, end + 1)}
    return sorted(due - found.keys())


def doubled(found: Counter[tuple[int, int]]) -> list[tuple[int, int]]:
    """Messages that are stored more than once."""
    return sorted(mid for mid, count in found.items() if count > 1)
