"""Entry point of the process. Reports an invalid setting or file in one line, with exit code 2."""

from __future__ import annotations

import signal
import sys

# The kernel discards a SIGTERM for process 1 of a container until a handler is set, and the imports below
# take a second.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))

import time  # noqa: E402

from feed_generator import config  # noqa: E402
from feed_generator.bootstrap import run, source  # noqa: E402
from feed_generator.errors import FeedError  # noqa: E402


def main() -> int:
    """Run until SIGTERM or SIGINT; with the argument `check`, only validate the settings and files.

    Returns the exit code.
    """
    try:
        settings = config.load()
        if sys.argv[1:] == ["check"]:
            source(settings, time.time_ns())
            return 0
        return run(settings)
    except FeedError as error:
        print(f"feed-generator: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
