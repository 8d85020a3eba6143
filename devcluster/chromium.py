"""Debian's Chromium, which the browser tests and `make screenshots` drive."""

from __future__ import annotations

import shutil

from devcluster import debian
from devcluster.terminal import Say

_PROGRAM = "chromium"
_PACKAGES = ["chromium", "fonts-dejavu-core"]  # without a font, Chromium draws boxes


def program() -> str | None:
    """Return the path of Chromium, or None if it is not installed."""
    return shutil.which(_PROGRAM)


def need(say: Say) -> None:
    """Install Chromium unless it is here. Raises debian.CannotInstall."""
    if program() is None:
        debian.install(_PACKAGES, say)
