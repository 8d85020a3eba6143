"""Start, and turn a wrong setting or file into one line and exit code 2."""

from __future__ import annotations

import sys

from feed_generator import config
from feed_generator.bootstrap import run
from feed_generator.errors import FeedError


def main() -> int:
    """Run until SIGTERM or SIGINT; the exit code."""
    try:
        return run(config.load())
    except FeedError as error:
        print(f"feed-generator: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
