"""gunicorn settings: common ones from gunicorn_base.py, address and limits from config.py."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from storage.bootstrap import THREADS  # after the change of sys.path
from storage.chassis.gunicorn_base import *  # noqa: F403
from storage.chassis.gunicorn_base import address
from storage.chassis.http_worker import HttpWorker
from storage.config import load

_settings = load()
bind = address(_settings.host, _settings.port)
worker_class = HttpWorker.bounded(
    total=_settings.max_connections,
    per_address=_settings.max_connections_per_address,
    body_bytes=64 << 10,
)
threads = THREADS
graceful_timeout = 10  # seconds; exceeds the longest query
