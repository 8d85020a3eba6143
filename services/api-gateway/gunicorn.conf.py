"""gunicorn settings: common ones from gunicorn_base.py, address and limits from config.py."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from api_gateway.bootstrap import THREADS  # after the change of sys.path
from api_gateway.chassis.gunicorn_base import *  # noqa: F403
from api_gateway.chassis.gunicorn_base import address
from api_gateway.chassis.http_worker import HttpWorker
from api_gateway.config import load
from api_gateway.edge import MAX_BODY_BYTES, MAX_IMPORT_BYTES, MAX_INGEST_BYTES

_settings = load()
bind = address(_settings.host, _settings.port)
worker_class = HttpWorker.bounded(
    total=_settings.max_connections,
    per_address=0
    if _settings.trusted_proxies
    else _settings.max_connections_per_address,  # behind proxies, all connections share their addresses
    body_bytes=MAX_BODY_BYTES,
    larger_bodies={
        "/api/ingest/": MAX_INGEST_BYTES,
        **({"/api/imports": MAX_IMPORT_BYTES} if _settings.import_folder else {}),
    },
)
threads = THREADS
graceful_timeout = 15  # seconds; exceeds the longest upstream call
