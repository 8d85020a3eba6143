"""`python -m storage migrate`: bring the database to the schema and print what changed."""

from __future__ import annotations

import argparse
import sys

from pymongo.errors import PyMongoError

from storage import bootstrap
from storage.config import load
from storage.migrate import migrate


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="storage")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("migrate", help="create and change collections, indexes and retention")
    parser.parse_args(arguments)
    settings = load()
    changes = 0
    try:
        # Run as a job beside a MongoDB that is still starting: wait for it longer than a query would.
        with bootstrap.connect(settings, select_ms=30_000) as client:
            for change in migrate(bootstrap.database(client), settings):
                changes += 1
                print(change, flush=True)
    except PyMongoError as error:
        raise SystemExit(f"migrate: MongoDB failed after {changes} changes: {error}") from error
    if not changes:
        print("nothing to change")


if __name__ == "__main__":
    main(sys.argv[1:])
