"""Read what a module logs, whatever other tests of this process have configured."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import structlog
from structlog.testing import capture_logs


@contextmanager
def logged_by(module: ModuleType, logger: str) -> Iterator[list[MutableMapping[str, Any]]]:
    """Yield the records that a module writes in the block, of every level. `logger` is its logger's name.

    A service's own configuration caches each logger at its first use, and a cached one cannot be captured.
    An application that an earlier test has made may have configured this process so.
    """
    configured, cached = structlog.get_config(), getattr(module, logger)
    structlog.reset_defaults()
    setattr(module, logger, structlog.get_logger())
    try:
        with capture_logs() as records:
            yield records
    finally:
        setattr(module, logger, cached)
        structlog.configure(**configured)
