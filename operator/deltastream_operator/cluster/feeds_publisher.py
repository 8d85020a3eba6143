"""Publish the feeds table in Redis in the background: a slow Redis delays no reconciliation.

OUTAGE POLICY: a table that cannot be written is dropped and the first failure is logged; the next tick writes
a newer one.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import structlog

from deltastream_operator.cluster.watching.table import Body, Table
from deltastream_operator.domain import feeds_table
from deltastream_operator.domain.feeds_table import Entry, History
from deltastream_operator.domain.signals import WAITING, Reading
from deltastream_operator.ports import Clock
from deltastream_operator.redis_feeds import RedisFeeds

log = structlog.get_logger()


class FeedsPublisher:
    """Builds the table from all that is known, and writes it in at most one thread.

    `status_of` returns the last status of a feed's body.
    """

    def __init__(
        self,
        table: Table,
        status_of: Callable[[Body], Mapping[str, Any]],
        store: RedisFeeds,
        clock: Clock,
        namespace: str,
    ) -> None:
        self._table, self._status_of, self._store = table, status_of, store
        self._clock, self._namespace = clock, namespace
        self._history = History()
        self._writing: asyncio.Task[None] | None = None
        self._failed = False

    def publish(self, readings: Mapping[str, Reading]) -> None:
        """Start to write the table, unless the last one is still being written."""
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write(readings))

    async def written(self) -> None:
        """Wait until the last table is written or dropped."""
        if self._writing:
            await self._writing

    async def _write(self, readings: Mapping[str, Reading]) -> None:
        try:
            entries = self._entries(readings)
            # The pods of a feed whose new spec cannot be read keep running, so its programs may push.
            unreadable = [entry.name for entry in entries if entry.feed is None]
            await asyncio.to_thread(
                self._store.publish, self._text(entries), feeds_table.external(entries), unreadable
            )
        except Exception as error:  # of any kind: the table must not disturb the loop
            if not self._failed:
                log.warning("feeds_table_not_written", error=f"{type(error).__name__}: {error}")
            self._failed = True
        else:
            self._failed = False

    def _entries(self, readings: Mapping[str, Reading]) -> list[Entry]:
        return [
            Entry(
                name=name,
                feed=known.feed,
                status=self._status_of(known.body),
                reading=readings.get(name, WAITING),
            )
            for name, known in self._table.feeds.items()
        ]

    def _text(self, entries: list[Entry]) -> bytes:
        now = datetime.fromtimestamp(self._clock.time(), UTC)
        self._history.add(entries, now)
        table = feeds_table.build(
            entries, self._history, now=now, authority="cluster", namespace=self._namespace
        )
        return json.dumps(table, ensure_ascii=False, separators=(",", ":")).encode()
