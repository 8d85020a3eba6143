"""Prepare a node for the product: start it with its images, then install DNS and volumes."""

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
    """Return the archives of the product's images that `make images` has built."""
    return sorted((cache() / "images").glob("deltastream*.tar"))


def _kubectl(paths: NodePaths, *arguments: str) -> None:
    """Run kubectl. Raises NodeError with its error output if it fails."""
    program = cache() / "bin" / "kubectl"
    argv = [str(program), "--kubeconfig", str(paths.kubeconfig), *arguments]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NodeError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")


def up(machine: Machine, images: list[Path], say: Say) -> None:
    """Start the node with `images` and wait until DNS and storage are ready. A running node is not changed.

    Raises NodeError if the node or a component does not become ready; the node is then stopped.
    """
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
