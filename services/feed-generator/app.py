"""Entry point: `python app.py` (the same as `python -m feed_generator`)."""

import sys

from feed_generator.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
