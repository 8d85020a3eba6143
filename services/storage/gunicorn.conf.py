"""gunicorn's settings: those of all services in gunicorn_base.py, our own address from config.py."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from storage.bootstrap import THREADS  # the path above comes first
from storage.config import load
from storage.gunicorn_base import *  # noqa: F403

_settings = load()
bind = f"{_settings.host}:{_settings.port}"
threads = THREADS
graceful_timeout = 10  # seconds; longer than the longest query
