"""Paths of the node's files: sources in this folder, state in one folder per node under the cache."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from devcluster.environment import cache

SOURCE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class NodePaths:
    """Paths of one node's state. The name identifies the node on this machine."""

    name: str

    @property
    def state(self) -> Path:
        return cache() / "nodes" / self.name

    @property
    def kubeconfig(self) -> Path:
        """Kubeconfig for the host; its server address is the relay."""
        return self.state / "kubeconfig"

    @property
    def logs(self) -> Path:
        return self.state / "log"

    @property
    def pids(self) -> Path:
        return self.state / "process.json"

    @property
    def verdict(self) -> Path:
        """File that the node's init.py writes: `ready`, or the reason why the node is not ready."""
        return self.state / "verdict"

    @property
    def cgroup(self) -> str:
        """Name of the parent cgroup of all pods; each node has its own."""
        return f"deltastream-{self.name}"
