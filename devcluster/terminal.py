"""Progress messages for the terminal: one line each, flushed at once."""

from __future__ import annotations

from collections.abc import Callable

Say = Callable[[str], None]


def say(text: str) -> None:
    """Print one line and flush it."""
    print(text, flush=True)
