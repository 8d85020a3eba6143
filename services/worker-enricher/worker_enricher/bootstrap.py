"""Build and run the subscriber. Also builds the objects that the subscriber shares with `worker`.

NB: the subscriber must not import NumPy or PyMongo: it needs neither, and they double its memory.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence

import redis
from celery import Celery

from worker_enricher.adapters.celery_app import TASK, create, queue_name
from worker_enricher.adapters.redis_client import connect as redis_client
from worker_enricher.adapters.stream import FeedStream
from worker_enricher.chassis import log_setup
from worker_enricher.chassis.health import Health
from worker_enricher.chassis.stop_signals import stop_event
from worker_enricher.config import Settings
from worker_enricher.subscriber import Subscriber

VERSION = os.environ.get("VERSION", "0.1.0")
_STALLED_AFTER_S = 60.0


def consumer_name(role: str) -> str:
    """Return this process's name in the consumer group, unique among all pods and processes."""
    return f"{role}-{socket.gethostname()}-{os.getpid()}"


def feed_stream(client: redis.Redis, settings: Settings) -> FeedStream:
    """Return the stream and the dead letters of the feed in `settings`."""
    return FeedStream(
        client,
        settings.feed,
        dlq_max_entries=settings.dlq_max_entries,
        dlq_max_bytes=settings.dlq_max_bytes,
    )


class CeleryQueue:
    """The feed's Celery queue in Redis. Implements `subscriber.Queue`."""

    def __init__(self, app: Celery, broker: redis.Redis, feed: str) -> None:
        self._app, self._broker, self._feed, self._queue = app, broker, feed, queue_name(feed)

    def waiting(self) -> int:
        return int(self._broker.llen(self._queue))

    def send_ticket(self) -> None:
        self._app.send_task(TASK, queue=self._queue, retry=False)

    def send(self, entry_ids: Sequence[str], deliveries: int) -> None:
        self._app.send_task(TASK, args=[list(entry_ids), deliveries], queue=self._queue, retry=False)


def run_subscriber(settings: Settings) -> None:
    """Run the subscriber until SIGTERM or SIGINT."""
    log_setup.configure("worker-enricher", VERSION, settings.log_level)
    stop = stop_event()
    client, broker = redis_client(settings.redis_url), redis_client(settings.celery_broker_url)
    health = Health("worker-enricher", {"redis": client.ping}, stalled_after_s=_STALLED_AFTER_S)
    server = health.serve(settings.host, settings.port) if settings.port else None
    Subscriber(
        feed_stream(client, settings),
        CeleryQueue(create(settings.celery_broker_url, settings.feed), broker, settings.feed),
        consumer=consumer_name("subscriber"),
        stop=stop,
        beat=health.beat,
        batch_entries=settings.batch_entries,
        queue_limit=settings.queue_limit,
        claim_idle_ms=settings.claim_idle_ms,
        max_deliveries=settings.max_deliveries,
    ).run()
    if server:
        server.shutdown()
