"""A network outside of the node, which pods reach by the node's default route, like the internet.

It is a network namespace that is connected to the node's bridge. A test listens there with sockets of its own
process, so that a fake exchange stays under the test's control.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from devcluster.node.machine import Machine

HOSTS = ("203.0.113.10", "203.0.113.11")
_CLONE_NEWNET = 0x40000000
# Process 1 is the node's first process, so its network is the node's. The node's default route is 10.99.0.1.
_SCRIPT = """
set -e
ip link set lo up
ip link add eth0 type veth peer name outside netns 1
ip address add 10.99.0.1/24 dev eth0
ip link set eth0 up
for host in "$@"; do ip address add "$host/32" dev lo; done
nsenter --target 1 --net ip link set outside master node0 up
echo connected
exec sleep infinity
"""


@dataclass(frozen=True)
class Outside:
    """The network. Its hosts are `HOSTS`."""

    namespace: Path

    def listen(self, host: str, port: int = 0) -> socket.socket:
        """Return a listening socket at a host of this network."""
        # Only the thread enters the namespace, and it ends afterwards.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(self._listen, host, port).result()

    def _listen(self, host: str, port: int) -> socket.socket:
        library = ctypes.CDLL(None, use_errno=True)
        with self.namespace.open() as namespace:
            if library.setns(namespace.fileno(), _CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
        return socket.create_server((host, port))


@contextmanager
def outside(machine: Machine) -> Iterator[Outside]:
    """Connect the network to the node for the duration of a block."""
    command = machine.inside(["unshare", "--net", "sh", "-c", _SCRIPT, "-", *HOSTS])
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as entering:
        assert entering.stdout
        assert entering.stdout.readline() == "connected\n", (
            "the network is not connected; see the error above"
        )
        # nsenter has forked: the process in the new namespace is its child.
        pid = int(Path(f"/proc/{entering.pid}/task/{entering.pid}/children").read_text())
        try:
            yield Outside(Path(f"/proc/{pid}/ns/net"))
        finally:
            os.kill(pid, signal.SIGKILL)
