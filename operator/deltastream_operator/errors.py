"""What may go wrong and be said in a line; anything else is a bug and keeps its traceback."""

from __future__ import annotations


class OperatorError(Exception):
    """Ends the local run with one clear line."""

    exit_code = 1


class FeedError(OperatorError):
    """Feeds that cannot be taken: every problem on a line of its own."""

    exit_code = 2

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))


class SettingsError(OperatorError):
    """Settings that cannot be taken: every problem on a line of its own."""

    exit_code = 2


class StopRequested(Exception):
    """SIGINT or SIGTERM came while waiting for something."""
