"""The Celery application: one task, one queue a feed, settings that keep work in the stream."""

from __future__ import annotations

import os
from typing import Any, Final
from urllib.parse import urlsplit

from celery import Celery

from worker_enricher.adapters import broker

TASK: Final = "worker_enricher.enrich_batch"

# Celery reads these itself and prefers them to what it is given, such as what a `_FILE` said.
_CELERY_VARIABLES: Final = (
    "CELERY_BROKER_READ_URL", "CELERY_BROKER_URL", "CELERY_BROKER_WRITE_URL", "CELERY_RESULT_BACKEND",
)  # fmt: skip

SETTINGS: Final[dict[str, Any]] = {
    "task_ignore_result": True,
    # Whatever becomes of a task, its entries are in the stream, which delivers them again, and counts.
    "task_acks_late": True,
    "task_reject_on_worker_lost": False,
    "task_create_missing_queues": True,
    "worker_prefetch_multiplier": 1,
    "worker_disable_prefetch": True,
    "worker_soft_shutdown_timeout": 20.0,
    "worker_enable_soft_shutdown_on_idle": False,
    "worker_hijack_root_logger": False,
    "worker_redirect_stdouts": False,
    "worker_send_task_events": False,
    "task_send_sent_event": False,
    "worker_enable_remote_control": False,
    "broker_transport": "worker_enricher.adapters.broker:Transport",
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "broker_transport_options": {
        # For the same reason kombu keeps no copy of a task in hand, which would take two round trips.
        "ack_emulation": False,
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
    app.conf.update(SETTINGS, task_default_queue=queue_name(feed))
    app.conf.broker_transport_options = SETTINGS["broker_transport_options"] | broker.options(broker_url)
    return app
