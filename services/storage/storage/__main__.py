"""`python -m storage init-mongo` and `migrate`: MongoDB as the services need it; prints what changed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator

from pymongo.errors import PyMongoError

from storage import bootstrap, replica_set
from storage.config import load
from storage.migrate import migrate


def _init_mongo() -> Iterator[str]:
    yield from replica_set.ensure(replica_set.load())


def _migrate() -> Iterator[str]:
    settings = load()
    # Run as a job beside a MongoDB that is still starting: wait for it longer than a query would.
    with bootstrap.connect(settings, select_ms=30_000) as client:
        yield from migrate(bootstrap.database(client), settings)


COMMANDS: dict[str, tuple[Callable[[], Iterator[str]], str]] = {
    "init-mongo": (_init_mongo, "make the members a replica set, with its users"),
    "migrate": (_migrate, "create and change collections, indexes and retention"),
}


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="storage")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, (_, text) in COMMANDS.items():
        commands.add_parser(name, help=text)
    command = parser.parse_args(arguments).command
    changes = 0
    try:
        for change in COMMANDS[command][0]():
            changes += 1
            print(change, flush=True)
    except PyMongoError as error:
        raise SystemExit(f"{command}: MongoDB failed after {changes} changes: {error}") from error
    if not changes:
        print("nothing to change")


if __name__ == "__main__":
    main(sys.argv[1:])
