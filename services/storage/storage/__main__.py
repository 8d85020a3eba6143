"""The commands `python -m storage init-mongo` and `migrate`, which set up MongoDB and print each change."""

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
    # The command runs as a job while MongoDB may still be starting, so it waits longer than a query does.
    with bootstrap.connect(settings, select_ms=30_000) as client:
        yield from migrate(bootstrap.database(client), settings)


COMMANDS: dict[str, tuple[Callable[[], Iterator[str]], str]] = {
    "init-mongo": (_init_mongo, "form a replica set from the members and create its users"),
    "migrate": (_migrate, "create or update collections, indexes and retention"),
}


def main(arguments: list[str]) -> None:
    """Run one command. Exits with status 1 if MongoDB fails."""
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
