"""Why a command ends early: each error has an exit code and a text with the fix, of one line."""

from __future__ import annotations

INTERRUPTED = 130


class CommandError(Exception):
    """The command failed: the gateway gave an unexpected answer, or a file cannot be read or written."""

    code = 1


class UsageError(CommandError):
    """An argument is wrong, or the gateway refused a parameter."""

    code = 2


class Refused(CommandError):
    """The gateway needs a login, or the account lacks a right."""

    code = 3


class Unavailable(CommandError):
    """The system does not answer, or a part of it is down."""

    code = 4


class RateLimited(Unavailable):
    """The account or the address sent too many requests; `wait_s` says for how many seconds to wait."""

    def __init__(self, wait_s: int) -> None:
        super().__init__(f"too many requests: wait {wait_s} s and run the command again")
        self.wait_s = wait_s


class NotFound(CommandError):
    """There is no such product, expiry or route."""

    code = 5
