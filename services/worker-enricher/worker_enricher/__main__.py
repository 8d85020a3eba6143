"""`python -m worker_enricher {subscriber,worker,dlq …}`; settings come from the environment."""

from __future__ import annotations

import signal
import sys

# Set the handler before the slow imports (about 1 s): process 1 of a container ignores SIGTERM without one.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))

import argparse  # noqa: E402
import json  # noqa: E402

from worker_enricher.config import Settings, load, load_worker  # noqa: E402


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="worker_enricher", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("subscriber", help="read the feed's stream and dispatch batches to Celery")
    commands.add_parser("worker", help="run the Celery worker that enriches and stores batches")
    dlq = commands.add_parser("dlq", help="dead letters of the feed").add_subparsers(
        dest="action", required=True
    )
    listing = dlq.add_parser("list", help="the newest letters, one JSON object a line")
    listing.add_argument("--limit", type=int, default=50)
    dlq.add_parser("show", help="one letter and its body").add_argument("id")
    replay = dlq.add_parser("replay", help="send letters back into the stream")
    replay.add_argument("id", nargs="*", help="ids from `dlq list`")
    replay.add_argument("--all", action="store_true", help="all that can be replayed")
    return parser


def _dlq(settings: Settings, args: argparse.Namespace) -> None:
    from worker_enricher.adapters.redis_client import connect
    from worker_enricher.dlq import DeadLetters

    letters = DeadLetters(connect(settings.redis_url), settings.feed)
    if args.action == "list":
        for id_, letter in letters.letters(max(1, min(args.limit, 10_000))):
            print(json.dumps({"id": id_, **letter}))
    elif args.action == "show":
        letter, body = letters.letter(args.id)
        print(json.dumps({"id": args.id, **letter, "body": body.decode(errors="replace")}, indent=2))
    else:
        ids = args.id
        if args.all:
            ids = [id_ for id_, letter in letters.letters(1_000_000) if not letter["truncated"]]
        for id_ in ids:
            print(json.dumps({"id": id_, "entry_id": letters.replay(id_)}))


def main(argv: list[str] | None = None) -> int:
    """Run one command. Returns the exit code: 1 if a dead letter's id is wrong (the reason is on stderr).

    Raises SystemExit(2) if a setting is invalid.
    """
    args = _parser().parse_args(argv)
    if args.command == "worker":
        from worker_enricher.worker import Worker

        Worker(load_worker()).run()
        return 0
    settings = load()
    if args.command == "subscriber":
        from worker_enricher.bootstrap import run_subscriber

        run_subscriber(settings)
    else:
        from worker_enricher.dlq import DeadLetterError

        try:
            _dlq(settings, args)
        except DeadLetterError as error:
            print(f"worker_enricher: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
