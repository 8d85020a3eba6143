"""A well-behaved client that runs in its own process and records when the server answers it.

`python -m tests.hostile.witness PORT PATH` requests PATH at a steady pace, each time on a new connection.
With the PATH `socket.io` it sends requests over one WebSocket instead. It prints the monotonic time of each
answer.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
import time
from pathlib import Path
from typing import Self

from tests.hostile.wire import connect, frame, websocket

PACE_S = 0.125  # below the gateway's rate of ten requests a second
BOUND = 16  # allowed gap in paces, which is 2 s; earlier versions froze for 7 s and more


class Witness:
    """The witness process. Use it with `with`: the process starts at once and is killed at the end."""

    def __init__(self, port: int, path: str, out: Path) -> None:
        self._out = out
        with open(out, "wb") as stdout:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.hostile.witness", str(port), path],
                stdout=stdout,
                cwd=Path(__file__).parents[2],
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def served(self) -> list[float]:
        """The times of all answers so far."""
        return [float(line) for line in self._out.read_text().splitlines(keepends=True) if line[-1] == "\n"]

    def longest_gap(self, since: float, until: float) -> float:
        """The longest time without an answer between `since` and `until`, in seconds."""
        times = [since, *(at for at in self.served() if since < at < until), until]
        return max(later - earlier for earlier, later in itertools.pairwise(times))


def _get(port: int, path: str) -> None:
    while True:
        try:
            with connect(port) as one:
                one.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
                if one.recv(12) == b"HTTP/1.1 200":
                    print(time.monotonic(), flush=True)
        except OSError:
            pass
        time.sleep(PACE_S)


def _ask(port: int) -> None:
    one = websocket(port)
    one.settimeout(None)
    one.sendall(frame(b"40"))
    while b"connected" not in one.recv(65536):
        pass
    while True:
        one.sendall(frame(b'42["get_products"]') + frame(b"3"))
        while b'"products"' not in (output := one.recv(65536)):
            if not output:
                return
        print(time.monotonic(), flush=True)
        time.sleep(PACE_S)


if __name__ == "__main__":
    if sys.argv[2] == "socket.io":
        _ask(int(sys.argv[1]))
    else:
        _get(int(sys.argv[1]), sys.argv[2])
