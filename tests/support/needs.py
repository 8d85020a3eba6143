"""What a test needs and this machine may lack: a skip with the reason on a desk, a failure with CI=true."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest


def in_ci() -> bool:
    """With CI=true what cannot be had is a failure, not a reason to skip."""
    return os.environ.get("CI") == "true"


def lacking(reason: str) -> NoReturn:
    """End the test, or all that use the fixture, with the reason."""
    if in_ci():
        pytest.fail(f"with CI=true everything has to run, but {reason}")
    pytest.skip(reason)


def go(for_what: str) -> None:
    """Go, which `for_what` is made with."""
    if shutil.which("go") is None:
        lacking(f"there is no `go` in PATH, and {for_what} come from Go modules")
