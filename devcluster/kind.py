"""A kind cluster with the project's images, for machines that have a container engine.

Machines without an engine use the one-node cluster of `devcluster.node`: same images, chart and tests.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from devcluster.environment import cache
from devcluster.images import build, host
from devcluster.images.catalogue import chart_version, products
from devcluster.kube import Refused, run
from devcluster.node.paths import SOURCE
from devcluster.terminal import Say
from devcluster.tools import kubectl

NAME = "deltastream"


def kubeconfig() -> Path:
    """Return the path of the kubeconfig of the cluster that `up` creates."""
    return cache() / "kind.kubeconfig"


def up(say: Say) -> None:
    """Create the cluster if absent, build and load the images, and mark the cluster as made for tests.

    Raises Refused if a program or a container engine is missing or fails, ImageError if a build fails.
    """
    _need("kind")
    engine = host.engine()
    if engine is None:
        raise Refused("neither docker nor podman responds; start one, or use `make node-up`")
    build.with_engine(engine, chart_version(), say)
    if NAME not in run(["kind", "get", "clusters"]).split():
        run(["kind", "create", "cluster", "--name", NAME, "--wait", "120s"], timeout=600)
    kubeconfig().write_text(run(["kind", "get", "kubeconfig", "--name", NAME]))
    kubeconfig().chmod(0o600)
    for recipe in products(chart_version()):
        _load(engine, recipe.name)
    marker = SOURCE / "manifests" / "marker.yaml"
    run([str(kubectl()), "--kubeconfig", str(kubeconfig()), "apply", "--filename", str(marker)])
    say(f"kind cluster {NAME} is ready; export DELTASTREAM_KUBECONFIG={kubeconfig()}")


def down() -> None:
    """Delete the cluster."""
    _need("kind")
    run(["kind", "delete", "cluster", "--name", NAME], timeout=300)
    kubeconfig().unlink(missing_ok=True)


def _load(engine: str, image: str) -> None:
    """Load an image into the cluster from a file, since `kind load docker-image` does not support podman."""
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "image.tar"
        run([engine, "save", f"--output={archive}", image], timeout=600)
        run(["kind", "load", "image-archive", str(archive), "--name", NAME], timeout=600)


def _need(program: str) -> None:
    if shutil.which(program) is None:
        raise Refused(
            f"there is no `{program}` in PATH; install it and a container engine, or use `make node-up`"
        )
