"""Entry point: `python app.py {subscriber,worker,dlq …}`."""

import sys

from worker_enricher.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
