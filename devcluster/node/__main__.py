"""The node's command line. Everything that can be said is one line; Ready is said with the next step."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

from devcluster.environment import cache
from devcluster.node.errors import NodeError
from devcluster.node.machine import Machine, build
from devcluster.node.paths import SOURCE, NodePaths

MANIFESTS = ("marker.yaml", "dns.yaml", "storage.yaml")


def say(text: str) -> None:
    """One line for the person at the terminal."""
    print(text, flush=True)


def archives() -> list[Path]:
    """The product's images, if `make images` has built them."""
    return sorted((cache() / "images").glob("deltastream*.tar"))


def kubectl(paths: NodePaths, *arguments: str) -> None:
    """Raises NodeError with what kubectl says."""
    program = cache() / "bin" / "kubectl"
    argv = [str(program), "--kubeconfig", str(paths.kubeconfig), *arguments]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NodeError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")


def up(machine: Machine, images: list[Path]) -> None:
    """Ready with DNS and storage. A node that runs already is left as it is."""
    paths = machine.paths
    if machine.running:
        say(f"node {paths.name} is running already; export KUBECONFIG={paths.kubeconfig}")
        return
    began = time.monotonic()
    machine.up(images, say)
    try:
        kubectl(
            paths,
            "apply",
            "--server-side",
            *(f"--filename={SOURCE / 'manifests' / name}" for name in MANIFESTS),
        )
        for namespace, name in (("kube-system", "coredns"), ("local-path-storage", "local-path-provisioner")):
            kubectl(
                paths, "rollout", "status", "--timeout=60s", "--namespace", namespace, f"deployment/{name}"
            )
    except NodeError:
        machine.down()
        raise
    took = time.monotonic() - began
    say(f"node {paths.name} is Ready in {took:.0f} s; export KUBECONFIG={paths.kubeconfig}")


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m devcluster.node", description="one-node Kubernetes")
    parser.add_argument("--name", default="default", help="which node; each has a state of its own")
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("build", "up", "down", "status", "shell"):
        commands.add_parser(name)
    load = commands.add_parser("load")
    load.add_argument("archive", type=Path, nargs="+")
    options = parser.parse_args(argv)
    machine = Machine(NodePaths(options.name))
    try:
        match options.command:
            case "build":
                build(say)
            case "up":
                up(machine, archives())
            case "down":
                machine.down()
            case "status":
                say("running" if machine.running else "not running")
            case "shell":
                environment = {
                    **os.environ,
                    "PATH": "/opt/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                    "PS1": "node# ",
                }
                environment["KUBECONFIG"] = "/var/lib/node/admin.kubeconfig"
                os.execvpe("nsenter", machine.inside(["bash", "--norc"]), environment)
            case "load":
                for archive in options.archive:
                    machine.load(archive)
    except NodeError as error:
        print(f"node: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
