"""What the environment decides: where state is kept, and whether this is a run of CI."""

from __future__ import annotations

import os
from pathlib import Path


def cache() -> Path:
    """Where tools are kept between runs: `$DELTASTREAM_CACHE`, else `~/.cache/deltastream`."""
    return Path(os.environ.get("DELTASTREAM_CACHE") or Path.home() / ".cache" / "deltastream")


def in_ci() -> bool:
    """With CI=true what cannot be had is a failure, not a reason to skip."""
    return os.environ.get("CI") == "true"
