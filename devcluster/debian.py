"""Install Debian packages that this machine lacks."""

from __future__ import annotations

import os
import shutil
import subprocess

from devcluster.terminal import Say


class CannotInstall(Exception):
    """The packages cannot be installed on this machine; the text says why."""


def install(packages: list[str], say: Say) -> None:
    """Install the packages. Raises CannotInstall."""
    if shutil.which("apt-get") is None:
        raise CannotInstall("there is no apt-get")
    if os.geteuid() != 0:
        raise CannotInstall("only root may install packages")
    say(f"installing the package {' and '.join(packages)}")
    for arguments in (
        ["update", "-q"],
        ["install", "-y", "-q", "--no-install-recommends", "--no-remove", *packages],
    ):
        done = subprocess.run(
            ["apt-get", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        )
        if done.returncode:
            raise CannotInstall(f"apt-get {arguments[0]} failed: {done.stderr.strip()[-300:]}")
