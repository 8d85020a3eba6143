"""The Celery application: one task, one queue a feed, settings that keep work in the stream."""

from __future__ import annotations

import os
from typing import Any, Final
from urllib.parse import urlsplit

from celery import Celery
from kombu.entity import Queue

from worker_enricher import broker

TASK: Final = "worker_enricher.enrich_batch"

# Celery reads these itself and prefers them to what it is given, such as what a `_FILE` said.
_CELERY_VARIABLES: Final = (
    "CELERY_BROKER_READ_URL", "CELERY_BROKER_URL", "CELERY_BROKER_WRITE_URL", "CELERY_RESULT_BACKEND",
)  # fmt: skip

SETTINGS: Final[dict[str, Any]] = {
    "task_ignore_result": True,
    # A batch whose worker was lost is not requeued here: the stream delivers it again, and counts.
    "task_reject_on_worker_lost": False,
    "worker_prefetch_multiplier": 1,
    "worker_disable_prefetch": True,
    "worker_soft_shutdown_timeout": 20.0,
    "worker_enable_soft_shutdown_on_idle": False,
    "worker_hijack_root_logger": False,
    "worker_redirect_stdouts": False,
    "worker_send_task_events": False,
    "task_send_sent_event": False,
    "worker_enable_remote_control": False,
    "broker_transport": "worker_enricher.broker:Transport",
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "broker_transport_options": {
        "socket_keepalive": True,
        "health_check_interval": 10,
        # A connection that a firewall has cut in silence must end in an error, and so in a new connection.
        "socket_connect_timeout": 5,
        "socket_timeout": 30,
    },
    "task_serializer": "json",
    "accept_content": ["json"],
    "enable_utc": True,
    "timezone": "UTC",
}


def queue_name(feed: str) -> str:
    """The feed's own queue, so that each feed scales by itself."""
    return f"enrich.{feed}"


def create(broker_url: str, feed: str) -> Celery:
    """The app of one feed, for its subscriber (sends) and its workers (run)."""
    for name in _CELERY_VARIABLES:
        os.environ.pop(name, None)
    server = urlsplit(broker_url).netloc.rpartition("@")[2]
    app = Celery("worker-enricher", broker=f"redis://{server}")  # for log lines: the transport takes `server`
    # A task is off the queue as soon as a worker has it: the stream, not the queue, keeps what is unfinished.
    queue = Queue(queue_name(feed), no_ack=True)  # type: ignore[no-untyped-call]
    app.conf.update(SETTINGS, task_default_queue=queue.name, task_queues=[queue])
    app.conf.broker_transport_options = SETTINGS["broker_transport_options"] | broker.options(broker_url)
    return app
