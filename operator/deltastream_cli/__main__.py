"""Start the command line: `python -m deltastream_cli`."""

from deltastream_cli.main import run

run()
