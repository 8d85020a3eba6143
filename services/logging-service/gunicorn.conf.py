"""gunicorn settings: common ones from gunicorn_base.py, address and limits from config.py."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from logging_service.bootstrap import MAX_BODY_BYTES, THREADS  # after the change of sys.path
from logging_service.chassis.gunicorn_base import *  # noqa: F403
from logging_service.chassis.gunicorn_base import address
from logging_service.chassis.http_worker import HttpWorker
from logging_service.config import load

_settings = load()
bind = address(_settings.host, _settings.port)
worker_class = HttpWorker.bounded(
    total=_settings.max_connections,
    per_address=_settings.max_connections_per_address,
    body_bytes=MAX_BODY_BYTES,
)
threads = THREADS
graceful_timeout = 15  # seconds
