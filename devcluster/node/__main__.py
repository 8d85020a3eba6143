"""Command line of the node. Every message is one line; `up` ends with the KUBECONFIG to export."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from devcluster.node.errors import NodeError
from devcluster.node.machine import Machine, build
from devcluster.node.paths import NodePaths
from devcluster.node.ready import archives, up
from devcluster.terminal import interrupted, say


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m devcluster.node", description="one-node Kubernetes")
    parser.add_argument("--name", default="default", help="the node's name; each has its own state")
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
                up(machine, archives(), say)
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
    except KeyboardInterrupt:
        return interrupted("node")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
