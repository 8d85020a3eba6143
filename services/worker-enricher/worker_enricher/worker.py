"""The Celery worker of one feed: registers the task, reports liveness, and shuts down gracefully."""

from __future__ import annotations

import logging
import multiprocessing
from collections.abc import Callable, Sequence

import structlog
from celery import bootsteps
from celery import signals as celery_signals

from worker_enricher.adapters.celery_app import TASK, create, queue_name
from worker_enricher.adapters.mongo_sink import MongoSink, connect
from worker_enricher.adapters.redis_client import connect as redis_client
from worker_enricher.adapters.redis_sink import RedisSink
from worker_enricher.bootstrap import VERSION, consumer_name, feed_stream
from worker_enricher.chassis import log_setup
from worker_enricher.chassis.health import Health
from worker_enricher.config import WorkerSettings
from worker_enricher.runner import BatchRunner, Stopped

_log = structlog.get_logger("worker")
_BEAT_EVERY_S = 2.0
# These loggers write "received" and "succeeded" hundreds of times a minute, which would push errors out of
# the logs. Metrics count both.
_A_LINE_PER_TASK = ("celery.worker.strategy", "celery.app.trace")


class Worker:
    """Connects Celery to the batch runner.

    With `concurrency` 1, tasks run in the worker's own process (solo pool): no fork, no pipe, half the
    memory. Otherwise they run in forked children, each with its own connections.
    """

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._runner: BatchRunner | None = None
        # Shared with forked children, and without a lock: a signal handler sets it.
        self._stopping = multiprocessing.Value("b", 0, lock=False)
        self.health = Health(
            "worker-enricher",
            {"redis": redis_client(settings.redis_url).ping, "mongodb": self._ping_mongo},
            stalled_after_s=60.0,
        )
        self._mongo = connect(settings.mongo_url)
        self.app = create(settings.celery_broker_url, settings.feed)
        self.app.task(name=TASK, ignore_result=True)(self._enrich_batch)
        self.app.steps["consumer"].add(_beat_step(self.health))

    def _ping_mongo(self) -> None:
        self._mongo.admin.command("ping")

    def _enrich_batch(self, entry_ids: Sequence[str] | None = None, deliveries: int = 1) -> None:
        """Process the given entries, which were taken over. Without ids, read and process new entries."""
        if self._runner is None:  # created in the process that runs tasks: connections do not survive a fork
            self._runner = batch_runner(
                self._settings, stopping=lambda: bool(self._stopping.value), beat=self.health.beat
            )
        try:
            if entry_ids is None:
                self._runner.run_new()
            else:
                self._runner.run(entry_ids, deliveries)
        except Stopped:
            _log.warning("batch_left_pending")

    def _shutting_down(self, **_: object) -> None:
        self._stopping.value = 1

    def run(self) -> None:
        """Run until SIGTERM. The current batch is finished, or stays pending if a store is unavailable."""
        settings = self._settings
        celery_signals.worker_shutting_down.connect(self._shutting_down, weak=False)
        celery_signals.setup_logging.connect(_keep_our_logging, weak=False)
        log_setup.configure("worker-enricher", VERSION, settings.log_level)
        for name in _A_LINE_PER_TASK:
            logging.getLogger(name).setLevel(logging.WARNING)
        server = self.health.serve(settings.host, settings.port) if settings.port else None
        pool = ["--pool", "solo"] if settings.concurrency == 1 else ["--pool", "prefork"]
        self.app.worker_main(
            [
                "worker", *pool, "--concurrency", str(settings.concurrency),
                "--queues", queue_name(settings.feed), "--without-gossip", "--without-mingle",
                "--without-heartbeat", "--loglevel", settings.log_level,
            ]
        )  # fmt: skip
        if server:
            server.shutdown()


def batch_runner(
    settings: WorkerSettings, *, stopping: Callable[[], bool], beat: Callable[[], None]
) -> BatchRunner:
    """Return a batch runner with its own connections, for this process."""
    client = redis_client(settings.redis_url)
    database = connect(settings.mongo_url).get_default_database("deltastream")
    return BatchRunner(
        feed_stream(client, settings),
        MongoSink(database),
        RedisSink(client),
        consumer=consumer_name("worker"),
        products=frozenset(settings.products),
        definitions=settings.definitions,
        batch_entries=settings.batch_entries,
        stopping=stopping,
        beat=beat,
    )


def _keep_our_logging(**_: object) -> None:
    """Do nothing. Celery configures no logging if its signal `setup_logging` has a receiver."""


def _beat_step(health: Health) -> type[bootsteps.StartStopStep]:
    """Return a step for Celery's consumer that calls `health.beat` from the consumer's event loop.

    The probe then fails if the event loop hangs; a separate thread would not notice.
    """

    class Beat(bootsteps.StartStopStep):  # type: ignore[misc]
        requires = ("celery.worker.consumer.tasks:Tasks",)

        def start(self, consumer: object) -> None:
            hub = getattr(consumer, "hub", None)
            if hub is not None:
                hub.call_repeatedly(_BEAT_EVERY_S, health.beat)

    return Beat
