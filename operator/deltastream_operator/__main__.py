"""`python -m deltastream_operator local --feeds a.yaml,b.yaml`."""

import signal
import sys

# Process 1 of a container does not hear a SIGTERM for which it has no handler yet, and imports take a second.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))

from deltastream_operator.main import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
