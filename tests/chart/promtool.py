"""Prometheus's own judge of rules, built from its Go module at first use; no root is needed."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.cluster.node.binaries import program

PACKAGE = "github.com/prometheus/prometheus/cmd/promtool"
VERSION = "v0.310.0"  # Prometheus 3.10


def promtool(*arguments: str | Path) -> tuple[bool, str]:
    """Whether promtool is content, and all that it says."""
    # Without the clients of every cloud's service discovery: half the time and half the size.
    tool = program("promtool", PACKAGE, VERSION, print, tags="remove_all_sd")
    done = subprocess.run([tool, *arguments], capture_output=True, text=True, check=False)
    return done.returncode == 0, done.stdout + done.stderr
