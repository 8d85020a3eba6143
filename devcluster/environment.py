"""Settings from environment variables: the cache folder, whether this is a CI run, and which part of it."""

from __future__ import annotations

import os
from pathlib import Path


def cache() -> Path:
    """Return the folder that keeps tools between runs: `$DELTASTREAM_CACHE`, else `~/.cache/deltastream`."""
    return Path(os.environ.get("DELTASTREAM_CACHE") or Path.home() / ".cache" / "deltastream")


def in_ci() -> bool:
    """Return whether CI=true is set. In CI a missing prerequisite fails a test instead of skipping it."""
    return os.environ.get("CI") == "true"


def worker() -> tuple[int, int]:
    """Return the number of this test process, from 0, and how many processes share the test run.

    pytest-xdist sets both (`pytest -n 2`). Without it there is one process: (0, 1).
    """
    name = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
    return int(name.removeprefix("gw")), int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
