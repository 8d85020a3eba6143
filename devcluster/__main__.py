"""Command line of `make up`, `make down`, `make smoke`, `make kind-up` and `make kind-down`."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
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
from devcluster.ports import free_port, is_free
from devcluster.terminal import interrupted, say
from devcluster.tools import helm, kubectl
from devcluster.waiting import wait_until

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
    """Install the release, apply the self-contained sample feeds and forward ports to both gateways."""
    cluster = release.namespace(current_cluster(), release.NAME)
    ports = end_forwards() or {name: free_port() for name in release.GATEWAYS}
    release.install(cluster, *release.for_page(ports))
    cluster.kubectl("apply", f"--filename={release.SAMPLES}", f"--selector={release.SELF_CONTAINED}")
    FORWARDS.parent.mkdir(parents=True, exist_ok=True)
    with (cache() / "forwards.log").open("wb") as log:
        command = [sys.executable, "-m", "devcluster", "forward", json.dumps(ports)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, start_new_session=True)
    if not (process.stdout and process.stdout.readline()):
        raise Refused(f"the port-forwards did not start; see {cache() / 'forwards.log'}")
    FORWARDS.write_text(json.dumps({"pid": process.pid, "ports": ports}))
    say(f"page            http://127.0.0.1:{ports['api-gateway']}   (create an account; REST: /api/docs)")
    say(f"live            http://127.0.0.1:{ports['socket-gateway']}   (Socket.IO)")
    say(f"kubectl         export KUBECONFIG={cluster.kubeconfig}; kubectl -n {release.NAME} get dsf")
    say("stop            make down   (make node-down also stops the node)")


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
    helm()
    kubectl()
    if os.environ.get("DELTASTREAM_KUBECONFIG"):
        return
    if reason := unsupported():
        if in_ci():
            raise Refused(f"CI=true needs the cluster tests, but {reason}")
        say(f"the cluster tests are skipped: {reason}")
        return
    build(say)
    images.with_available_builder(chart_version(), cache() / "images", say)


def forward(ports: Mapping[str, int]) -> None:
    """Forward these loopback ports to the gateways until SIGTERM. Prints a line once they listen."""
    cluster = current_cluster().within(release.NAME)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with ExitStack() as stack:
        for name, port in release.GATEWAYS.items():
            stack.enter_context(cluster.forward(f"svc/{release.NAME}-{name}", port, ports[name]))
        print("listening", flush=True)
        signal.pause()


def end_forwards() -> dict[str, int] | None:
    """Stop the port-forwards of the last `up`, if they are still running.

    Returns their loopback ports if they are free now: with the same ports the next `up` restarts no gateway.
    """
    try:
        last = json.loads(FORWARDS.read_text())
        FORWARDS.unlink()
        if b"devcluster" in Path(f"/proc/{last['pid']}/cmdline").read_bytes():
            os.kill(last["pid"], signal.SIGTERM)
    except (FileNotFoundError, ProcessLookupError):
        return None
    ports: dict[str, int] = last.get("ports", {})
    with contextlib.suppress(AssertionError):
        wait_until(lambda: all(map(is_free, ports.values())), "the ports are free", within_s=10)
        return ports or None
    return None


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
        "command", choices=("prepare", "up", "down", "smoke", "forward", "node-down", "kind-up", "kind-down")
    )
    parser.add_argument("ports", nargs="?", type=json.loads, default={}, help="of forward, as JSON")
    arguments = parser.parse_args(argv)
    command = arguments.command
    try:
        match command:
            case "prepare":
                prepare()
            case "up":
                up()
            case "down":
                down()
            case "forward":
                forward(arguments.ports)
            case "smoke":
                say(release.smoke(current_cluster().within(release.NAME)))
            case "node-down":
                end_forwards()
                Machine(NodePaths("default")).down()
            case "kind-up":
                kind.up(say)
            case "kind-down":
                end_forwards()
                kind.down()
    except (Refused, NodeError, ImageError) as error:
        print(f"{command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return interrupted(command)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
