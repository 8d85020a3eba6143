"""The control loop: reconcile every feed each 2 seconds with fresh signals, and a changed feed at once.

The loop retries failed reconciliations itself, because kopf does not repeat a failed handler. It also lists
the API server's objects itself, because a watch can die silently: the list after an outage finds an edit that
was made during the outage.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import structlog

from deltastream_operator.cluster.claims import Claims
from deltastream_operator.cluster.metrics import Metrics
from deltastream_operator.cluster.reconcile import Reconciler
from deltastream_operator.cluster.signal_reader import SignalReader
from deltastream_operator.cluster.watching.resync import resync
from deltastream_operator.cluster.watching.table import Table
from deltastream_operator.domain.signals import WAITING, Reading, Unknown
from deltastream_operator.kubernetes.api import Api, ApiError
from deltastream_operator.ports import Clock, SignalSource

TICK_S = 2.0
PULSE_S = 3.0
BACKOFF_MAX_S = 5.0
RESYNC_S = 300.0
log = structlog.get_logger()


@dataclass
class Loop:
    """The control loop of one namespace. The liveness probe reads `ticked_at`, in monotonic seconds."""

    table: Table
    claims: Claims
    reconciler: Reconciler
    signals: SignalSource
    api: Api
    metrics: Metrics
    clock: Clock
    namespace: str
    ticked_at: float = 0.0
    listed: bool = False
    _readings: Mapping[str, Reading] = field(default_factory=dict)
    _reader: SignalReader = field(init=False)
    _failures: dict[str, int] = field(default_factory=dict)
    _retry_at: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._reader = SignalReader(self.signals)

    async def run(self) -> None:
        """Run until cancelled."""
        next_tick = self.clock.monotonic()
        while True:
            now = self.clock.monotonic()
            if now >= next_tick:
                self.metrics.lateness.observe(now - next_tick)
                next_tick = max(next_tick + TICK_S, now + TICK_S / 2)
                await self._read()
                self.ticked_at = self.clock.monotonic()  # waiting for Redis is slow, but the loop is alive
                self.table.due |= self.table.feeds.keys()
            await self._reconcile_due()
            self.ticked_at = self.clock.monotonic()
            wait = min([next_tick, *self._retry_at.values()]) - self.ticked_at
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.table.woken.wait(), timeout=max(0.01, wait))

    async def _read(self) -> None:
        feeds = sorted(self.table.feeds)
        if feeds:
            self._readings = await self._reader.read(feeds)
        for reading in self._readings.values():
            if isinstance(reading, Unknown):
                self.metrics.signal_errors.labels(reading.reason).inc()

    async def _reconcile_due(self) -> None:
        self.table.woken.clear()
        if not self.listed:
            return  # the owner of a product is known only after the workloads are listed
        refused, now = self.claims.refused(), self.clock.monotonic()
        due = {name for name in self.table.due if self._retry_at.get(name, 0) <= now}
        due |= {name for name, at in self._retry_at.items() if at <= now}
        self.table.due -= due
        for name in sorted(due):
            self._retry_at.pop(name, None)
            if body := self.table.gone.pop(name, None):
                self.reconciler.report_deletion(body, self._readings.get(name, WAITING))
            try:
                moment = datetime.fromtimestamp(self.clock.time(), UTC)
                await self.reconciler.reconcile(name, self._readings, refused, moment)
            except Exception as error:
                # An error of any kind in one feed must not keep the loop from the other feeds.
                self._postpone(name, error)
            else:
                self._failures.pop(name, None)
            # An API server that does not answer delays each feed by seconds, but the loop is alive.
            self.ticked_at = self.clock.monotonic()
            if name not in self.table.feeds:
                self._forget(name)

    def _postpone(self, name: str, error: Exception) -> None:
        failures = self._failures[name] = self._failures.get(name, 0) + 1
        self._retry_at[name] = self.clock.monotonic() + min(BACKOFF_MAX_S, 0.5 * 2 ** (failures - 1))
        self.metrics.visit_errors.inc()
        if isinstance(error, ApiError):
            log.warning("visit_failed", feed=name, error=str(error), failures=failures)
        else:
            log.exception("visit_failed", feed=name, failures=failures)

    def _forget(self, name: str) -> None:
        self._failures.pop(name, None)
        self._retry_at.pop(name, None)
        self._readings = {feed: last for feed, last in self._readings.items() if feed != name}
        self.metrics.forget(name)
        self.reconciler.forget({known.body["metadata"]["uid"] for known in self.table.feeds.values()})

    async def watch_the_api(self) -> None:
        """Check the API server until cancelled. List all objects after an outage and every 5 minutes."""
        unavailable, listed_at = True, 0.0
        while True:
            now = self.clock.monotonic()
            try:
                if unavailable or now - listed_at >= RESYNC_S:
                    missed = await resync(self.api, self.table, self.namespace)
                    self.metrics.repairs.inc(missed)
                    if unavailable and listed_at:
                        log.info("api_server_is_back")
                    unavailable, listed_at, self.listed = False, now, True
                    self.table.woken.set()
                else:
                    await self.api.get("/version")
            except ApiError as error:
                if not unavailable:
                    log.warning("api_server_is_away", error=str(error))
                unavailable = True
            await asyncio.sleep(PULSE_S)
