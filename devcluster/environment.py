"""Settings from environment variables: the cache folder, and whether this is a CI run."""

from __future__ import annotations

import os
from pathlib import Path


def cache() -> Path:
    """Return the folder that keeps tools between runs: `$DELTASTREAM_CACHE`, else `~/.cache/deltastream`."""
    return Path(os.environ.get("DELTASTREAM_CACHE") or Path.home() / ".cache" / "deltastream")


def in_ci() -> bool:
    """Return whether CI=true is set. In CI a missing prerequisite fails a test instead of skipping it."""
    return os.environ.get("CI") == "true"
