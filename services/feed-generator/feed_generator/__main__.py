"""Entry point: run the generator, or check its settings and files. An error is one line and exit code 2."""

from __future__ import annotations

import signal
import sys

# The kernel drops SIGTERM for process 1 of a container until it has a handler, and the imports take a second.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))

import msgspec  # noqa: E402

from feed_generator import config  # noqa: E402
from feed_generator.bootstrap.generator import VERSION, check, run  # noqa: E402
from feed_generator.bootstrap.live import check_source  # noqa: E402
from feed_generator.chassis import log_setup  # noqa: E402
from feed_generator.errors import FeedError  # noqa: E402


def main() -> int:
    """Run until SIGTERM or SIGINT. Returns the exit code.

    With the argument `check` only check settings and files, and print what the user has to know about a
    recording, one line each. With `check-source SECONDS` connect to the live source and print what came in
    JSON.
    """
    try:
        settings = config.load()
        if sys.argv[1:] == ["check"]:
            check(settings, print)
            return 0
        if sys.argv[1:2] == ["check-source"]:
            log_setup.configure("feed-generator", VERSION, "ERROR")  # standard output has the report only
            found = check_source(settings, float(sys.argv[2]))
            print(msgspec.json.encode(found).decode())
            return 0 if found.connected else 1
        return run(settings)
    except FeedError as error:
        print(f"feed-generator: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
