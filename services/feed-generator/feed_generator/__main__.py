"""Start, and turn a wrong setting or file into one line and exit code 2."""

from __future__ import annotations

import signal
import sys

# Process 1 of a container does not hear a SIGTERM for which it has no handler yet, and imports take a second.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))

import time  # noqa: E402

from feed_generator import config  # noqa: E402
from feed_generator.bootstrap import run, source  # noqa: E402
from feed_generator.errors import FeedError  # noqa: E402


def main() -> int:
    """Run until SIGTERM or SIGINT, or with the word `check` only judge settings and files; the exit code."""
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
