"""gunicorn settings that all HTTP services share. Each gunicorn.conf.py imports them with `import *`."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

from gunicorn.glogging import Logger


class JsonLogger(Logger):  # type: ignore[misc]
    """Passes gunicorn's log records to the root logger, which log_setup configures to write JSON."""

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


def address(host: str, port: int) -> str:
    """Return the bind address `host:port`, with brackets around an IPv6 host. `::` also accepts IPv4."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def pre_fork(_server: object, _worker: object) -> None:
    """Freeze all loaded objects. Garbage collection would write to them, and so copy the shared pages."""
    gc.collect()
    gc.freeze()


workers = 1  # scale with replicas: metrics, and auth's limit on concurrent hashing, are per process
preload_app = True  # imports are shared between master and worker
timeout = 30  # seconds
accesslog = None  # RequestContext in log_setup writes the access log
logger_class = JsonLogger
control_socket_disable = True  # all services would share its path in the home folder, and it costs a thread
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108  # heartbeat in memory
