"""Messages for the terminal: one line each."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable

Say = Callable[[str], None]


def say(text: str) -> None:
    """Print one line and flush it."""
    print(text, flush=True)


def interrupted(command: str) -> int:
    """Print that Ctrl-C has ended a command, and return its exit code. What is built stays in the cache."""
    print(f"{command}: interrupted; the next run continues with what is built", file=sys.stderr)
    return 128 + signal.SIGINT
