"""Room for the connections that the attacks open at once, five services at a time."""

from __future__ import annotations

import resource

import pytest

NEEDED = 10_000


@pytest.fixture(scope="package", autouse=True)
def _open_files() -> None:
    """Raises the soft limit as far as it goes: with 1,024 an attack would be smaller than it says."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < NEEDED:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(NEEDED, hard), hard))
