"""What a test needs and this machine may lack: a skip with the reason on a desk, a failure with CI=true."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import pytest
from devcluster.environment import in_ci
from devcluster.processes.api_server import ProgramMissing


def lacking(reason: str) -> NoReturn:
    """End the test, or all that use the fixture, with the reason."""
    if in_ci():
        pytest.fail(f"with CI=true everything has to run, but {reason}")
    pytest.skip(reason)


@contextmanager
def api_server_programs() -> Iterator[None]:
    """Run the block, which starts an API server or its controllers, where their programs are at hand."""
    try:
        yield
    except ProgramMissing as missing:
        lacking(str(missing))


def go(for_what: str) -> None:
    """Go, which `for_what` is made with."""
    if shutil.which("go") is None:
        lacking(f"there is no `go` in PATH, and {for_what} come from Go modules")
