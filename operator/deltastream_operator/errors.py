"""Errors that the command prints as text without a traceback. Any other exception is a bug."""

from __future__ import annotations


class OperatorError(Exception):
    """An error that ends the command with one line and the exit code `exit_code`."""

    exit_code = 1


class FeedError(OperatorError):
    """Invalid feeds. The message has one line for each problem."""

    exit_code = 2

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))


class SettingsError(OperatorError):
    """Invalid settings. The message has one line for each problem."""

    exit_code = 2


class StopRequested(Exception):
    """SIGINT or SIGTERM arrived while the local run waited."""
