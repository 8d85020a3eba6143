"""gunicorn's settings that are the same in every HTTP service; `from … import *` in gunicorn.conf.py."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

from gunicorn.glogging import Logger


class JsonLogger(Logger):  # type: ignore[misc]
    """Leaves gunicorn's own lines to the root logger, which log_setup made JSON."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


def address(host: str, port: int) -> str:
    """What to bind; `::` listens on IPv4 too."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def pre_fork(_server: object, _worker: object) -> None:
    """Keep what is loaded out of garbage collection, whose marks would copy the shared pages."""
    gc.collect()
    gc.freeze()


workers = 1  # scale with replicas: one process a pod keeps metrics (and auth's bound on hashing) whole
preload_app = True  # imports are shared between master and worker
timeout = 30  # seconds
accesslog = None  # RequestContext writes the access lines
logger_class = JsonLogger
control_socket_disable = True  # one path in the home folder for all of them, and a thread for it
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108  # heartbeat off the disk
