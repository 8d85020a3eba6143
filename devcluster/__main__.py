"""Command line of `make up`, `make down`, `make smoke`, `make kind-up` and `make kind-down`."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from devcluster import chromium, kind, release
from devcluster.debian import CannotInstall
from devcluster.environment import cache, in_ci
from devcluster.images import build as images
from devcluster.images.catalogue import chart_version
from devcluster.images.errors import ImageError
from devcluster.kube import Cluster, Refused, ours
from devcluster.node.errors import NodeError
from devcluster.node.machine import Machine, build, unsupported
from devcluster.node.paths import NodePaths
from devcluster.node.ready import archives
from devcluster.node.ready import up as node_up
from devcluster.terminal import say
from devcluster.tools import helm, kubectl

FORWARDS = cache() / "forwards.json"


def current_cluster() -> Cluster:
    """Return the cluster of `DELTASTREAM_KUBECONFIG` (`make kind-up` prints it), else the one-node cluster.

    Starts the one-node cluster if it is not running. Raises Refused if the cluster was not made for tests.
    """
    if given := os.environ.get("DELTASTREAM_KUBECONFIG"):
        return ours(Cluster(Path(given), kubectl(), helm()))
    machine = Machine(NodePaths("default"))
    if not machine.running:
        prepare_node()
        node_up(machine, archives(), say)
    return ours(Cluster(machine.paths.kubeconfig, kubectl(), helm()))


def up() -> None:
    """Install the release, apply the sample feeds and forward ports to both gateways."""
    cluster = release.namespace(current_cluster(), release.NAME)
    release.install(cluster)
    cluster.kubectl("apply", f"--filename={release.SAMPLES}")
    end_forwards()
    FORWARDS.parent.mkdir(parents=True, exist_ok=True)
    with (cache() / "forwards.log").open("wb") as log:
        command = [sys.executable, "-m", "devcluster", "forward"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, start_new_session=True)
    ports = json.loads((process.stdout and process.stdout.readline()) or "{}")
    if not ports:
        raise Refused(f"the port-forwards did not start; see {cache() / 'forwards.log'}")
    FORWARDS.write_text(json.dumps({"pid": process.pid}))
    say(f"REST            http://127.0.0.1:{ports['api-gateway']}   (browse /api/docs)")
    say(f"live            http://127.0.0.1:{ports['socket-gateway']}   (Socket.IO)")
    say(f"kubectl         export KUBECONFIG={cluster.kubeconfig}; kubectl -n {release.NAME} get dsf")
    say("stop            make down")


def prepare() -> None:
    """Install and build what the tests need, unless it exists.

    If this machine cannot run some tests, prints the reason, or raises Refused with CI=true.
    """
    try:
        chromium.need(say)
    except CannotInstall as error:
        if in_ci():
            raise Refused(f"CI=true needs the browser tests, but {error}") from error
        say(f"the browser tests are skipped: {error}")
    prepare_node()


def prepare_node() -> None:
    """Build what the cluster tests need, unless it exists; see `prepare`."""
    if os.environ.get("DELTASTREAM_KUBECONFIG"):
        return
    if reason := unsupported():
        if in_ci():
            raise Refused(f"CI=true needs the cluster tests, but {reason}")
        say(f"the cluster tests are skipped: {reason}")
        return
    build(say)
    helm()
    kubectl()
    images.with_available_builder(chart_version(), cache() / "images", say)


def forward() -> None:
    """Keep port-forwards to both gateways open until SIGTERM. Prints their ports as JSON once they listen."""
    cluster = current_cluster().within(release.NAME)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with ExitStack() as stack:
        ports = {
            name: stack.enter_context(cluster.forward(f"svc/{release.NAME}-{name}", port))
            for name, port in release.GATEWAYS.items()
        }
        print(json.dumps(ports), flush=True)
        signal.pause()


def end_forwards() -> None:
    """Stop the port-forwards of the last `up`, if they are still running."""
    try:
        pid = json.loads(FORWARDS.read_text())["pid"]
        if b"devcluster" in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, signal.SIGTERM)
    except (FileNotFoundError, ProcessLookupError):
        pass
    FORWARDS.unlink(missing_ok=True)


def down() -> None:
    """Delete the release, its feeds and its data."""
    end_forwards()
    if not os.environ.get("DELTASTREAM_KUBECONFIG") and not Machine(NodePaths("default")).running:
        say("no node is running, so there is nothing to delete")
        return
    cluster = current_cluster().within(release.NAME)
    cluster.kubectl("delete", "deltastreamfeeds", "--all", "--ignore-not-found")
    cluster.helm("uninstall", release.NAME, "--wait", "--ignore-not-found")
    cluster.kubectl("delete", "namespace", release.NAME, "--ignore-not-found")
    say("the release, its feeds and its data are deleted; the cluster stays (make node-down stops the node)")


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m devcluster")
    parser.add_argument(
        "command", choices=("prepare", "up", "down", "smoke", "forward", "kind-up", "kind-down")
    )
    command = parser.parse_args(argv).command
    try:
        match command:
            case "prepare":
                prepare()
            case "up":
                up()
            case "down":
                down()
            case "forward":
                forward()
            case "smoke":
                say(release.smoke(current_cluster().within(release.NAME)))
            case "kind-up":
                kind.up(say)
            case "kind-down":
                kind.down()
    except (Refused, NodeError, ImageError) as error:
        print(f"{command}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
