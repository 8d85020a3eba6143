"""Control the node from the host: start it, stop it, load images, run commands inside."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from devcluster.environment import cache
from devcluster.node import binaries, cgroups, images, pki, rootfs
from devcluster.node.errors import NodeError
from devcluster.node.paths import SOURCE, NodePaths
from devcluster.terminal import Say

_NAMESPACES = ("--mount", "--net", "--pid", "--uts", "--ipc")
_START_SECONDS = 120


def unsupported() -> str | None:
    """Return one line that says why this machine cannot host a node; None if it can."""
    if sys.platform != "linux":
        return "the one-node cluster needs Linux; use `make kind-up` with a container engine"
    if os.geteuid() != 0:
        return "the one-node cluster needs root; run as root, or use `make kind-up` with a container engine"
    if shutil.which("unshare") is None or shutil.which("nsenter") is None:
        return "the one-node cluster needs unshare and nsenter; install util-linux"
    return None


def build(say: Say) -> tuple[Path, Path, Path]:
    """Build what every node needs, unless it exists: the root file system, the programs and the images.

    Returns the folders of the first two and the archive of the images. Raises NodeError if this machine
    cannot host a node or a build fails.
    """
    if reason := unsupported():
        raise NodeError(reason)
    root, programs = rootfs.build(say), binaries.build(say)
    if not (programs / "etcd").exists():  # for tests that run an API server without a node
        shutil.copy2(root / "usr" / "bin" / "etcd", programs / "etcd")
    archive = cache() / "images" / "node.tar"
    images.write(images.catalogue(root, programs), archive)
    return root, programs, archive


class Machine:
    """One node, identified by its name. It keeps its state in a folder and runs as one process, `unshare`."""

    def __init__(self, paths: NodePaths) -> None:
        self.paths = paths

    def up(self, archives: Sequence[Path], say: Say) -> None:
        """Start the node, import the OCI `archives` and wait until the node is Ready.

        Raises NodeError with the reason if the node runs already or does not become Ready.
        """
        if self.running:
            raise NodeError(f"node {self.paths.name} is running already; stop it with `make node-down`")
        root, programs, own = build(say)
        state = self.paths.state
        self._forget()
        for name in ("log", "images", "containerd", "kubelet", "pv"):
            (state / name).mkdir(parents=True, exist_ok=True)
        for archive in (own, *archives):
            self._offer(archive)
        pki.write(state / "pki", now=datetime.now(UTC))
        inside = Path("/var/lib/node/pki")
        for identity in ("admin", "kubelet"):
            text = pki.kubeconfig(inside, server="https://127.0.0.1:6443", identity=identity)
            (state / f"{identity}.kubeconfig").write_text(text)
        cgroups.make(self.paths.cgroup)
        with (self.paths.logs / "init.log").open("wb") as log:
            process = subprocess.Popen(
                [
                    *("unshare", *_NAMESPACES, "--fork", "--kill-child"),
                    *(str(SOURCE / "enter.sh"), str(root), str(state), str(programs), str(SOURCE)),
                ],
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "NODE_CGROUP": self.paths.cgroup},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._record(process.pid)
        self._await_verdict()
        self._open_relay()

    def down(self) -> None:
        """Stop the node. One signal ends every process, mount and interface; then its cgroups are removed."""
        if (pid := self._pid()) is not None:
            # The node's process 1 is the last to end: the kernel waits for the other processes of the node.
            family = [pid, *_children(pid)]
            os.kill(pid, signal.SIGKILL)  # unshare blocks SIGTERM
            _until(lambda: not any(map(_alive, family)), 20, f"processes {family} do not end")
        name = self.paths.cgroup
        # The kernel may need a moment to remove the last process from its cgroup.
        _until(lambda: cgroups.remove(name), 20, f"cgroups named {name} cannot be removed")
        self.paths.pids.unlink(missing_ok=True)

    @property
    def running(self) -> bool:
        return self._pid() is not None

    @property
    def init_pid(self) -> int:
        """Host process id of the node's process 1. Raises NodeError if the node is not running."""
        pid = self._pid()
        children = _children(pid) if pid else []
        if not children:
            raise NodeError(f"node {self.paths.name} is not running; start it with `make node-up`")
        return children[0]

    def inside(self, argv: Sequence[str], *, network_only: bool = False) -> list[str]:
        """Return the command that runs `argv` on the node, or only in the node's network (`network_only`)."""
        which = (
            ("--net",)
            if network_only
            else ("--mount", "--net", "--pid", "--uts", "--ipc", "--root", "--wd=/")
        )
        return ["nsenter", f"--target={self.init_pid}", *which, "--", *argv]

    def load(self, archive: Path) -> None:
        """Import the images of an archive into the running node. Raises NodeError if the import fails."""
        name = self._offer(archive)
        ctr = ["ctr", "-a", "/run/containerd/containerd.sock", "-n", "k8s.io"]
        done = subprocess.run(
            self.inside([*ctr, "images", "import", f"/var/lib/node/images/{name}"]),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise NodeError(f"{archive} was not imported: {done.stderr.strip()[-300:]}")

    def _offer(self, archive: Path) -> str:
        """Link or copy the archive into the node's state folder and return its file name.

        A hard link is preferred, since an archive may have a gigabyte.
        """
        target = self.paths.state / "images" / archive.name
        target.unlink(missing_ok=True)
        try:
            target.hardlink_to(archive)
        except OSError:
            shutil.copy2(archive, target)
        return archive.name

    def _forget(self) -> None:
        """Delete the state of the last run, except the images that containerd has unpacked."""
        for name in ("kubelet", "pv", "pki", "log", "images"):
            shutil.rmtree(self.paths.state / name, ignore_errors=True)
        self.paths.verdict.unlink(missing_ok=True)

    def _await_verdict(self) -> None:
        def reported() -> bool:
            return self.paths.verdict.exists() or not self.running

        try:
            _until(reported, _START_SECONDS, f"node {self.paths.name} did not report; see {self.paths.logs}")
        except NodeError:
            self.down()
            raise
        verdict = self.paths.verdict.read_text() if self.paths.verdict.exists() else ""
        if verdict != "ready":
            reason = verdict or (self.paths.logs / "init.log").read_text(errors="replace").strip()
            self.down()
            raise NodeError(f"node {self.paths.name} did not start: {reason}")

    def _open_relay(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            os.set_inheritable(listener.fileno(), True)
            script = (
                f"exec {sys.executable} -S -E {SOURCE / 'relay.py'} 127.0.0.1 6443 3<&{listener.fileno()}"
            )
            with (self.paths.logs / "relay.log").open("wb") as log:
                subprocess.Popen(
                    ["nsenter", f"--target={self.init_pid}", "--net", "--pid", "--", "bash", "-c", script],
                    pass_fds=(listener.fileno(),),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
        text = pki.kubeconfig(self.paths.state / "pki", server=f"https://127.0.0.1:{port}", identity="admin")
        self.paths.kubeconfig.touch(mode=0o600)
        self.paths.kubeconfig.write_text(text)

    def _record(self, pid: int) -> None:
        self.paths.pids.write_text(json.dumps({"pid": pid, "started": _started(pid)}))

    def _pid(self) -> int | None:
        """Return the recorded process id if that process still runs.

        The kernel reuses process ids, so the start time is compared too.
        """
        try:
            record = json.loads(self.paths.pids.read_text())
        except (FileNotFoundError, ValueError):
            return None
        pid = int(record["pid"])
        return pid if _alive(pid) and _started(pid) == record["started"] else None


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def _started(pid: int) -> int:
    """Return the start time of a process in clock ticks since boot."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])


def _until(condition: Callable[[], bool], seconds: float, otherwise: str) -> None:
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise NodeError(otherwise)
        time.sleep(0.05)
