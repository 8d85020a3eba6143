"""Entry point: run the generator, or check its settings and files. An error is one line and exit code 2."""

from __future__ import annotations

import signal
import sys

# The kernel drops SIGTERM for process 1 of a container until it has a handler, and the imports take a second.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))

import time  # noqa: E402

from feed_generator import config  # noqa: E402
from feed_generator.bootstrap import run, source  # noqa: E402
from feed_generator.errors import FeedError  # noqa: E402


def main() -> int:
    """Run until SIGTERM or SIGINT, or with the argument `check` only check settings and files.

    The check prints what the user has to know about a recording, one line each.

    Returns the exit code.
    """
    try:
        settings = config.load()
        if sys.argv[1:] == ["check"]:
            source(settings, time.time_ns(), print)
            return 0
        return run(settings)
    except FeedError as error:
        print(f"feed-generator: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
