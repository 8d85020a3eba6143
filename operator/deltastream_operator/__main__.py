"""`python -m deltastream_operator local --feeds a.yaml,b.yaml`."""

import sys

from deltastream_operator.main import main

if __name__ == "__main__":
    sys.exit(main())
