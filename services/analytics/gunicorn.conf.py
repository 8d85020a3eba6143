"""gunicorn's settings; the service's own are in analytics/config.py."""

import gc
import sys
from pathlib import Path

from gunicorn.glogging import Logger

sys.path.insert(0, str(Path(__file__).parent))

from analytics.bootstrap import THREADS  # the path above comes first
from analytics.config import load


class _JsonLogger(Logger):
    """Leaves gunicorn's own lines to the root logger, which log_setup made JSON."""

    def setup(self, cfg):
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


def pre_fork(_server, _worker):
    """Keep what is loaded out of garbage collection, whose marks would copy the shared pages."""
    gc.collect()
    gc.freeze()


_settings = load()
bind = f"{_settings.host}:{_settings.port}"
workers = 1  # scale with replicas: one process a pod keeps metrics whole
worker_class = "gthread"
threads = THREADS
preload_app = True  # imports are shared between master and worker
keepalive = 15  # seconds
graceful_timeout = 10  # seconds; longer than the longest answer
timeout = 30  # seconds
accesslog = None  # RequestContext writes the access lines
logger_class = _JsonLogger
control_socket_disable = True  # one path in the home folder for all of them, and a thread for it
worker_tmp_dir = "/dev/shm" if Path("/dev/shm").is_dir() else None  # noqa: S108  # heartbeat off the disk
