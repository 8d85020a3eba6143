"""Entry point of `python -m deltastream_operator COMMAND`."""

import signal
import sys

# The kernel drops SIGTERM for process 1 of a container until it has a handler, and the imports take a second.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))

from deltastream_operator.main import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
