"""gunicorn's settings: those of all services in gunicorn_base.py, our own address from config.py."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from api_gateway.bootstrap import THREADS  # the path above comes first
from api_gateway.config import load
from api_gateway.gunicorn_base import *  # noqa: F403

_settings = load()
bind = f"{_settings.host}:{_settings.port}"
threads = THREADS
graceful_timeout = 15  # seconds; longer than the longest upstream call
