"""Build the node's Debian: a folder that `enter.sh` makes the root file system of the node."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

from devcluster import debian
from devcluster.environment import cache
from devcluster.node.errors import NodeError
from devcluster.terminal import Say

SUITE = "bookworm"
PACKAGES = (
    "busybox-static",  # for the node's own images
    "conntrack",
    "containerd",
    "containernetworking-plugins",
    "etcd-server",
    "iproute2",
    "ipset",
    "iptables",
    "kmod",
    "procps",
    "python3",
    "runc",
    "socat",  # for port-forward
    "util-linux",
)
# Folders on which enter.sh mounts the node's state, programs and temporary file systems.
MOUNT_POINTS = (
    "old-root",
    "opt/bin",
    "opt/node",
    "var/lib/cni",
    "var/lib/kubelet",
    "var/lib/node",
    "var/log/containers",
    "var/log/pods",
)


def build(say: Say) -> Path:
    """Return the folder. debootstrap creates it if absent or if the list of packages changed.

    Raises NodeError if debootstrap is not available or fails.
    """
    key = hashlib.sha256("\n".join((SUITE, *PACKAGES, *MOUNT_POINTS)).encode()).hexdigest()[:12]
    folder = cache() / f"rootfs-{key}"
    if folder.is_dir():
        return folder
    say("building the node's Debian (once, about a minute)")
    _need_debootstrap(say)
    half = folder.with_suffix(".partial")
    shutil.rmtree(half, ignore_errors=True)
    half.parent.mkdir(parents=True, exist_ok=True)
    log = cache() / "debootstrap.log"
    with log.open("w") as out:
        done = subprocess.run(
            ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, str(half)],
            stdout=out,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if done.returncode:
        last = "\n".join(log.read_text().strip().splitlines()[-5:])
        raise NodeError(f"debootstrap could not build the node's Debian; the end of {log}:\n{last}")
    for name in MOUNT_POINTS:
        (half / name).mkdir(parents=True, exist_ok=True)
    (half / "etc" / "machine-id").write_text(f"{key:0<32}\n")  # the kubelet reports it
    shutil.rmtree(half / "var" / "cache" / "apt", ignore_errors=True)
    half.rename(folder)
    return folder


def _need_debootstrap(say: Say) -> None:
    if shutil.which("debootstrap"):
        return
    try:
        debian.install(["debootstrap"], say)
    except debian.CannotInstall as error:
        raise NodeError(f"the node's Debian needs debootstrap, which is not in PATH: {error}") from error
