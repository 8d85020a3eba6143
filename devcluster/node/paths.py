"""Where things are kept: a cache that is built once, and one folder a node. All of it outside the tree."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from devcluster.environment import cache

SOURCE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class NodePaths:
    """The state of one node. Its name tells it from other nodes on this machine."""

    name: str

    @property
    def state(self) -> Path:
        return cache() / "nodes" / self.name

    @property
    def kubeconfig(self) -> Path:
        """For use on the host, through the relay."""
        return self.state / "kubeconfig"

    @property
    def logs(self) -> Path:
        return self.state / "log"

    @property
    def pids(self) -> Path:
        return self.state / "process.json"

    @property
    def verdict(self) -> Path:
        """Written by the node's init: `ready`, or why it is not."""
        return self.state / "verdict"

    @property
    def cgroup(self) -> str:
        """The cgroup under which the kubelet puts all pods, so that nodes do not share one."""
        return f"deltastream-{self.name}"
