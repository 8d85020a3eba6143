"""Parse the arguments and run the command in its program: the local run, the controller or the hooks."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from deltastream_operator.errors import OperatorError
from deltastream_operator.local import settings
from deltastream_operator.parsing import resource
from deltastream_operator.parsing.live_sources import live_only

HOOKS = {
    "init-secrets": "create the Secrets of a release that do not exist yet: PLAN.yaml",
    "apply-crd": "apply a CustomResourceDefinition: FILE",
    "smoke": "test the installed product from inside the cluster (settings: environment)",
    "refused": "check that no HOST:PORT accepts a connection from this pod",
}
ARGUMENTS: dict[str, int | str] = {"init-secrets": 1, "apply-crd": 1, "refused": "+"}
ROOT = Path(__file__).resolve().parents[2]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="deltastream_operator", description="Runs the feeds of DeltaStream."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, does in (
        ("local", "run the whole system on this machine until Ctrl-C"),
        ("start", "run the whole system in the background; returns when it is ready"),
    ):
        command = commands.add_parser(name, help=does)
        command.add_argument("--feeds", required=True, help="DeltaStreamFeed files, separated by commas")
        command.add_argument("--check", action="store_true", help="check the feeds, start nothing")
        command.add_argument("--services", type=Path, help=argparse.SUPPRESS)
    proof = commands.add_parser(
        "check-source", help="connect to the feeds' live sources, and count what comes"
    )
    proof.add_argument("--feeds", required=True, help="DeltaStreamFeed files, separated by commas")
    proof.add_argument("--seconds", type=float, default=10, help="how long to count")
    commands.add_parser("stop", help="stop the system that runs in DELTASTREAM_HOME")
    commands.add_parser("run", help="run the controller for the feeds of a namespace (settings: environment)")
    for name, does in HOOKS.items():
        hook = commands.add_parser(name, help=does)
        if name in ARGUMENTS:
            hook.add_argument("arguments", nargs=ARGUMENTS[name])
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run one command. Returns 0 for success, 1 for a failure, 2 for wrong feeds or arguments."""
    args = _parser().parse_args(argv)
    try:
        if args.command in ("run", *HOOKS):
            return _in_cluster(args)
        known = settings.load(os.environ, settings.read_dotenv(Path(".env")))
        if args.command == "stop":
            from deltastream_operator.local import background

            print(background.stop(known.home))
            return 0
        files = [Path(part.strip()) for part in args.feeds.split(",") if part.strip()]
        feeds = resource.load(files)
        from deltastream_operator.local import bootstrap as local

        services = local.services_of(known, ROOT, getattr(args, "services", None))
        if args.command == "check-source":
            local.check_runnable(live_only(feeds), services)
            return max(services.check_source(feed, args.seconds) for feed in feeds)
        notes = local.check_runnable(feeds, services)
        if args.command != "start":  # the process in the background prints them
            print("".join(f"note: {note}\n" for note in notes), end="")
        if args.check:
            print(f"{len(feeds)} feed(s) are valid: {', '.join(feed.name for feed in feeds)}")
            return 0
        if args.command == "start":
            from deltastream_operator.local import background

            print(background.start(args.feeds, known.home, args.services))
            return 0
        local.build(feeds, known, ROOT, args.services).run()
    except OperatorError as error:
        print(f"deltastream: {error}" if error.exit_code == 1 else error, file=sys.stderr)
        return error.exit_code
    return 0


def _in_cluster(args: argparse.Namespace) -> int:
    # Imported here because kopf and the API server's client cost 40 MiB, which a local run does not need.
    if args.command == "run":
        from deltastream_operator.cluster import run as cluster
        from deltastream_operator.cluster import settings as cluster_settings

        cluster.run(cluster_settings.load(os.environ))
        return 0
    from deltastream_operator.hooks import run as hooks

    return hooks.run(args.command, getattr(args, "arguments", []))
