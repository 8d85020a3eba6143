"""What the person at the terminal reads: one line at a time, at once."""

from __future__ import annotations

from collections.abc import Callable

Say = Callable[[str], None]


def say(text: str) -> None:
    """One line."""
    print(text, flush=True)
