"""From a started node to one that the product can be installed on: with its images, DNS and volumes."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from devcluster.environment import cache
from devcluster.node.errors import NodeError
from devcluster.node.machine import Machine
from devcluster.node.paths import SOURCE, NodePaths
from devcluster.terminal import Say

MANIFESTS = ("marker.yaml", "dns.yaml", "storage.yaml")


def archives() -> list[Path]:
    """The product's images, if `make images` has built them."""
    return sorted((cache() / "images").glob("deltastream*.tar"))


def _kubectl(paths: NodePaths, *arguments: str) -> None:
    """Raises NodeError with what kubectl says."""
    program = cache() / "bin" / "kubectl"
    argv = [str(program), "--kubeconfig", str(paths.kubeconfig), *arguments]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NodeError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")


def up(machine: Machine, images: list[Path], say: Say) -> None:
    """Ready with DNS and storage. A node that runs already is left as it is."""
    paths = machine.paths
    if machine.running:
        say(f"node {paths.name} is running already; export KUBECONFIG={paths.kubeconfig}")
        return
    began = time.monotonic()
    machine.up(images, say)
    try:
        _kubectl(
            paths,
            "apply",
            "--server-side",
            *(f"--filename={SOURCE / 'manifests' / name}" for name in MANIFESTS),
        )
        for namespace, name in (("kube-system", "coredns"), ("local-path-storage", "local-path-provisioner")):
            _kubectl(
                paths, "rollout", "status", "--timeout=60s", "--namespace", namespace, f"deployment/{name}"
            )
    except NodeError:
        machine.down()
        raise
    took = time.monotonic() - began
    say(f"node {paths.name} is Ready in {took:.0f} s; export KUBECONFIG={paths.kubeconfig}")
