"""Build the controller from its parts and run it until SIGTERM or SIGINT."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Coroutine
from typing import Any, cast

import kopf
import structlog

from deltastream_operator.cluster import json_logs, probes
from deltastream_operator.cluster.claims import Claims
from deltastream_operator.cluster.loop import TICK_S, Loop
from deltastream_operator.cluster.metrics import Metrics
from deltastream_operator.cluster.reconcile import Reconciler
from deltastream_operator.cluster.settings import ClusterSettings
from deltastream_operator.cluster.watching import handlers
from deltastream_operator.cluster.watching.mounts import Mounts
from deltastream_operator.cluster.watching.produced import Produced
from deltastream_operator.cluster.watching.table import Table
from deltastream_operator.cluster.writing.events import Events
from deltastream_operator.cluster.writing.workloads import Workloads
from deltastream_operator.errors import OperatorError
from deltastream_operator.kubernetes import login, names
from deltastream_operator.kubernetes.api import Api
from deltastream_operator.redis_signals import RedisSignals

STALLED_S = 5 * TICK_S
log = structlog.get_logger()


def run(settings: ClusterSettings) -> None:
    """Run the operator until SIGTERM or SIGINT. Raises OperatorError if no cluster is configured."""
    json_logs.configure(settings.log_level)
    asyncio.run(_run(settings))


async def _run(settings: ClusterSettings) -> None:
    configuration = await login.configuration()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    table, metrics, namespace = Table(), Metrics(), settings.namespace
    async with Api(configuration, metrics.wrote) as api:
        events = Events(api=api, clock=time, namespace=namespace, feeds=table.feeds, metrics=metrics)
        reconciler = Reconciler(
            api=api,
            table=table,
            workloads=Workloads(api=api, table=table, namespace=namespace, templates=settings.templates),
            mounts=Mounts(api=api, clock=time, namespace=namespace),
            events=events,
            metrics=metrics,
            namespace=namespace,
        )
        loop = Loop(
            table=table,
            claims=Claims(table, Produced(table)),
            reconciler=reconciler,
            signals=RedisSignals(settings.redis_url, time),
            api=api,
            metrics=metrics,
            clock=time,
            namespace=namespace,
            ticked_at=time.monotonic(),
        )

        async def watch() -> None:
            await kopf.operator(
                registry=handlers.registry(table),
                settings=handlers.settings(),
                standalone=True,
                namespaces=[namespace],
                stop_flag=stop,
                # kopf's default contains the user's name, and in a cluster the user may have no name.
                identity=cast(Any, names.MANAGER),
            )
            stop.set()  # kopf replaces the signal handlers and returns after a signal

        async with probes.served(
            settings.host,
            settings.port,
            live=lambda: _stalled(time.monotonic() - loop.ticked_at),
            ready=lambda: None if loop.listed else "the API server has not been listed yet",
            registry=metrics.registry,
        ) as port:
            log.info("started", namespace=namespace, port=port)
            await _until(stop, watch(), loop.run(), loop.watch_the_api(), events.post())
    log.info("stopped")


def _stalled(age: float) -> str | None:
    return f"the loop has not ticked for {age:.0f} s" if age > STALLED_S else None


async def _until(stop: asyncio.Event, *coroutines: Coroutine[Any, Any, None]) -> None:
    """Run all coroutines until `stop` is set. Raises if one ends earlier; the pod is then restarted."""
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    stopped = asyncio.ensure_future(stop.wait())
    done, _ = await asyncio.wait([stopped, *tasks], return_when=asyncio.FIRST_COMPLETED)
    for task in [stopped, *tasks]:
        task.cancel()
    await asyncio.wait([stopped, *tasks], timeout=5)
    for task in done:
        if task is not stopped and not stop.is_set():
            raise task.exception() or OperatorError("a part of the operator ended unexpectedly")
