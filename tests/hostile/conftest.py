"""Raise the limit of open files: the attacks open many connections to five services at once."""

from __future__ import annotations

import resource

import pytest

NEEDED = 10_000


@pytest.fixture(scope="package", autouse=True)
def _open_files() -> None:
    """Raise the soft limit as far as allowed. With 1,024 files, attacks would open too few connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < NEEDED:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(NEEDED, hard), hard))
