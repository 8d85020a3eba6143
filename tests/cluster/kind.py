"""The same cluster tier where there is a container engine: a kind cluster with the project's images.

It is not run on machines without an engine, where the node in a box is; images, chart and tests are the same.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from tests.cluster.kube import Refused, run
from tests.cluster.node.paths import SOURCE
from tests.support.tools import cache, kubectl

NAME = "deltastream"


def kubeconfig() -> Path:
    """Of the cluster that `up` made."""
    return cache() / "kind.kubeconfig"


def up(archives: list[Path], say: Callable[[str], None]) -> None:
    """Create it if absent, load the images, mark it as made for tests. Raises Refused with the cause."""
    _need("kind")
    if NAME not in run(["kind", "get", "clusters"]).split():
        run(["kind", "create", "cluster", "--name", NAME, "--wait", "120s"], timeout=600)
    kubeconfig().write_text(run(["kind", "get", "kubeconfig", "--name", NAME]))
    kubeconfig().chmod(0o600)
    for archive in archives:
        run(["kind", "load", "image-archive", str(archive), "--name", NAME], timeout=600)
    marker = SOURCE / "manifests" / "marker.yaml"
    run([str(kubectl()), "--kubeconfig", str(kubeconfig()), "apply", "--filename", str(marker)])
    say(f"kind cluster {NAME} is ready; export DELTASTREAM_KUBECONFIG={kubeconfig()}")


def down() -> None:
    """Delete it."""
    _need("kind")
    run(["kind", "delete", "cluster", "--name", NAME], timeout=300)
    kubeconfig().unlink(missing_ok=True)


def _need(program: str) -> None:
    if shutil.which(program) is None:
        raise Refused(
            f"there is no `{program}` in PATH; install it and a container engine, or use `make node-up`"
        )
