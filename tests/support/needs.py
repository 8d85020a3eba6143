"""Prerequisites that may be missing on this machine: the test is skipped, or fails with CI=true."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import pytest
from devcluster.environment import in_ci
from devcluster.processes.api_server import ProgramMissing


def lacking(reason: str) -> NoReturn:
    """Skip the test, or the tests of the fixture, with the reason. With CI=true fail instead."""
    if in_ci():
        pytest.fail(f"with CI=true everything has to run, but {reason}")
    pytest.skip(reason)


@contextmanager
def api_server_programs() -> Iterator[None]:
    """Run a block that starts an API server or its controllers; skip the test if programs are missing."""
    try:
        yield
    except ProgramMissing as missing:
        lacking(str(missing))


def go(for_what: str) -> None:
    """Skip the test if Go is missing, which builds `for_what`."""
    if shutil.which("go") is None:
        lacking(f"there is no `go` in PATH, and {for_what} are built from Go modules")
