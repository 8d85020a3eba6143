"""Access to the host for image builds: run commands, find a container engine, install Debian packages."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from devcluster import debian
from devcluster.environment import cache as cache
from devcluster.images.errors import ImageError
from devcluster.terminal import Say


def run(
    argv: Sequence[str | Path], *, task: str, log: Path | None = None, env: Mapping[str, str] | None = None
) -> str:
    """Run a command and return its output. Raises ImageError with `task` and the end of the output."""
    done = subprocess.run(
        list(map(str, argv)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        env={**os.environ, **(env or {})},
    )
    if log:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(done.stdout + done.stderr)
    if done.returncode:
        last = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
        raise ImageError(f"{task} failed:\n{last}" + (f"\n(full output: {log})" if log else ""))
    return done.stdout


def engine() -> str | None:
    """Return "docker" or "podman", whichever responds first; None if neither does."""
    for name in ("docker", "podman"):
        if shutil.which(name) and _quiet([name, "info"]):
            return name
    return None


def need(command: str, package: str, say: Say) -> None:
    """Install the Debian package if its command is missing. Raises ImageError if it cannot be installed."""
    if shutil.which(command):
        return
    try:
        debian.install([package], say)
    except debian.CannotInstall as error:
        raise ImageError(
            f"building images without docker or podman needs {command}, which is not in PATH ({error}): "
            f"install the package {package}, or start docker or podman"
        ) from error


def need_root() -> None:
    """Raise ImageError if the user is not root: debootstrap and buildah use chroot."""
    if os.geteuid() != 0:
        raise ImageError(
            "building images without docker or podman needs root: become root, or start docker or podman"
        )


def _quiet(argv: Sequence[str]) -> bool:
    try:
        return subprocess.run(argv, capture_output=True, timeout=20, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False
