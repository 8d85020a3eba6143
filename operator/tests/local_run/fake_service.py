"""A fake service: it answers probes on PORT, and writes to a file when it starts and stops."""

import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path


def note(word: str) -> None:
    """Append a line to the notes file, whose path is the second command line argument."""
    with open(Path(sys.argv[2]), "a") as notes:
        notes.write(f"{word} {sys.argv[1]} {os.environ.get('FEED', '')} {os.getpid()}\n")


class Probe(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


def stop(_number: int, _frame: object) -> None:
    note("stopped")
    sys.exit(0)


if __name__ == "__main__":
    if sys.argv[1] == "check":
        sys.exit()
    signal.signal(signal.SIGTERM, stop)
    note("started")
    if "PORT" in os.environ:
        HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Probe).serve_forever()
