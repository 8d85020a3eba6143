"""The Celery application: one task, one queue a feed, settings that keep work in the stream."""

from __future__ import annotations

from typing import Final

from celery import Celery

TASK: Final = "worker_enricher.enrich_batch"

SETTINGS: Final = {
    "task_ignore_result": True,
    "task_acks_late": True,
    # A batch whose worker was lost is not requeued here: the stream delivers it again, and counts.
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
    "broker_transport": "worker_enricher.broker:Transport",
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "broker_transport_options": {
        "visibility_timeout": 60,
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
    app = Celery("worker-enricher", broker=broker_url)
    app.conf.update(SETTINGS, task_default_queue=queue_name(feed))
    return app
