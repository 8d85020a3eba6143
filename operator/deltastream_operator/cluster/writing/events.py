"""Post Events of feeds in the background, so that a decision never waits for its Event."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import structlog

from deltastream_operator.cluster.metrics import Metrics
from deltastream_operator.cluster.watching.table import Known
from deltastream_operator.domain.feed import API_VERSION, KIND
from deltastream_operator.kubernetes import names
from deltastream_operator.kubernetes.api import Api, ApiError
from deltastream_operator.ports import Clock

SUPPRESS_S = 1800.0
QUEUE_MAX = 256
TEXT_MAX = 1000
log = structlog.get_logger()


@dataclass
class Events:
    """A queue of Events. An identical Event is posted once in 30 minutes.

    A full queue drops new Events. Dropped Events are logged and counted.
    """

    api: Api
    clock: Clock
    namespace: str
    feeds: Mapping[str, Known]
    metrics: Metrics
    _reported: dict[str, float] = field(default_factory=dict)
    _queue: asyncio.Queue[tuple[str, str, dict[str, Any]]] = field(
        default_factory=lambda: asyncio.Queue(maxsize=QUEUE_MAX)
    )

    def report(self, feed: str, reason: str, message: str, *, warning: bool = False) -> None:
        """Queue an Event of a feed, if the feed exists. Never raises."""
        if known := self.feeds.get(feed):
            self.report_for(known.body, reason, message, warning=warning)

    def report_for(
        self, body: Mapping[str, Any], reason: str, message: str, *, warning: bool = False
    ) -> None:
        """Queue an Event of a feed that may be deleted already. `body` is its last body. Never raises."""
        now = self.clock.monotonic()
        key = hashlib.sha256(f"{body['metadata']['uid']}/{reason}/{message}".encode()).hexdigest()
        self._reported = {known: at for known, at in self._reported.items() if now - at < SUPPRESS_S}
        if key in self._reported:
            return
        name = body["metadata"]["name"]
        try:
            self._queue.put_nowait((key, name, self._event(body, reason, message, warning)))
        except asyncio.QueueFull:
            self._dropped(name, reason, f"the queue holds {QUEUE_MAX} Events already")
        else:
            self._reported[key] = now

    async def post(self) -> None:
        """Post queued Events until cancelled."""
        while True:
            key, feed, event = await self._queue.get()
            try:
                await self.api.create(names.core_path(self.namespace, "events"), event)
            except ApiError as error:
                self._reported.pop(key, None)
                self._dropped(feed, event["reason"], str(error))

    def _dropped(self, feed: str, reason: str, error: str) -> None:
        self.metrics.events_dropped.inc()
        log.warning("event_not_posted", feed=feed, reason=reason, error=error)

    def _event(self, body: Mapping[str, Any], reason: str, message: str, warning: bool) -> dict[str, Any]:
        metadata = body["metadata"]
        now = datetime.fromtimestamp(self.clock.time(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"generateName": f"{metadata['name']}.", "namespace": self.namespace},
            "involvedObject": {
                "apiVersion": API_VERSION,
                "kind": KIND,
                "name": metadata["name"],
                "namespace": self.namespace,
                "uid": metadata["uid"],
            },
            "reason": reason,
            "message": message[:TEXT_MAX],
            "type": "Warning" if warning else "Normal",
            "source": {"component": names.MANAGER},
            "reportingComponent": names.MANAGER,
            "reportingInstance": names.MANAGER,
            "action": "Decide",
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
