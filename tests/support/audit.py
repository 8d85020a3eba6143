"""Compare the messages appended to the streams with the stored ones, message by message."""

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
    """Split a `mid` into its epoch and its sequence number."""
    epoch, _, seq = mid.partition(":")
    return int(epoch), int(seq)


class Audit(threading.Thread):
    """A thread that records the mid of every entry in the streams of some feeds.

    It reads without a consumer group, so it does not affect the enrichers. It retries while Redis is down.
    """

    def __init__(self, client: redis.Redis, feeds: Iterable[str]) -> None:
        super().__init__(daemon=True)
        self._client, self._stopping = client, threading.Event()
        self._at = {f"feed:{feed}": "0-0" for feed in feeds}
        self.appended: dict[str, set[tuple[int, int]]] = {feed: set() for feed in feeds}

    def run(self) -> None:
        while not self._stopping.is_set():
            try:
                for key, entries in self._client.xread(self._at, count=5000, block=100):
                    self._note(key, entries)
            except redis.RedisError:
                self._stopping.wait(0.05)

    def _note(self, key: str, entries: list[tuple[str, dict[str, str]]]) -> None:
        mids = {parse(json.loads(fields["body"])["mid"]) for _, fields in entries}
        self.appended[key.removeprefix("feed:")] |= mids
        self._at[key] = entries[-1][0]

    def stop(self) -> None:
        self._stopping.set()
        self.join(timeout=10)


def stored(database: Database[dict[str, Any]], feed: str) -> Counter[tuple[int, int]]:
    """Count how often each message of a feed is stored, over all collections."""
    return Counter(
        parse(document["mid"])
        for name in COLLECTIONS
        for document in database[name].find({"feed": feed}, {"mid": 1})
    )


def lost(appended: set[tuple[int, int]], found: Counter[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the messages that are not stored, up to the last appended message of each epoch.

    Sequence numbers have no gaps, so this includes messages that the audit itself did not read.
    """
    last: dict[int, int] = defaultdict(int)
    for epoch, seq in appended:
        last[epoch] = max(last[epoch], seq)
    due = {(epoch, seq) for epoch, end in last.items() for seq in range(1, end + 1)}
    return sorted(due - found.keys())


def doubled(found: Counter[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the messages that are stored more than once."""
    return sorted(mid for mid, count in found.items() if count > 1)
