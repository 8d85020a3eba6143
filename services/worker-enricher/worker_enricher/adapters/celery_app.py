"""The Celery application: one task, one queue per feed, and settings that keep the backlog in the stream."""

from __future__ import annotations

import os
from typing import Any, Final
from urllib.parse import urlsplit

from celery import Celery

from worker_enricher.adapters import broker

TASK: Final = "worker_enricher.enrich_batch"

# Celery reads these variables itself and prefers them to our settings, for example to a URL from a `_FILE`.
_CELERY_VARIABLES: Final = (
    "CELERY_BROKER_READ_URL", "CELERY_BROKER_URL", "CELERY_BROKER_WRITE_URL", "CELERY_RESULT_BACKEND",
)  # fmt: skip

SETTINGS: Final[dict[str, Any]] = {
    "task_ignore_result": True,
    # A lost task loses no data: its entries stay pending in the stream, which redelivers them and counts the
    # deliveries.
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
        # For the same reason kombu keeps no copy of a running task. A copy would take two round trips.
        "ack_emulation": False,
        "socket_keepalive": True,
        "health_check_interval": 10,
        # If a firewall silently drops a connection, these timeouts raise an error, and Celery reconnects.
        "socket_connect_timeout": 5,
        "socket_timeout": 30,
    },
    "task_serializer": "json",
    "accept_content": ["json"],
    "enable_utc": True,
    "timezone": "UTC",
}


def queue_name(feed: str) -> str:
    """Return the name of the feed's own queue. Each feed has one, so that feeds scale independently."""
    return f"enrich.{feed}"


def create(broker_url: str, feed: str) -> Celery:
    """Return the Celery app of one feed. The subscriber sends tasks with it and the worker runs them."""
    for name in _CELERY_VARIABLES:
        os.environ.pop(name, None)
    server = urlsplit(broker_url).netloc.rpartition("@")[2]
    app = Celery("worker-enricher", broker=f"redis://{server}")  # only logged: the transport uses `server`
    app.conf.update(SETTINGS, task_default_queue=queue_name(feed))
    app.conf.broker_transport_options = SETTINGS["broker_transport_options"] | broker.options(broker_url)
    return app
