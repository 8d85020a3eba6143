"""What can go wrong, and the one table that says how it is answered (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Flask, Response

from logging_service.chassis import problems
from logging_service.chassis.bearer import KeysUnavailable, Unauthorized


class LoggingError(Exception):
    """An error with an answer of its own. `detail` and `members` are safe to show."""

    def __init__(self, detail: str, **members: Any) -> None:
        super().__init__(detail)
        self.detail, self.members = detail, members


class BadInput(LoggingError):
    """Parameters that break their rules: (field, rule) pairs, without the values."""

    def __init__(self, *broken: tuple[str, str]) -> None:
        super().__init__(
            "; ".join(f"{field}: {rule}" for field, rule in broken),
            errors=[{"field": field, "rule": rule} for field, rule in broken],
        )


class StoreUnavailable(LoggingError):
    """MongoDB does not answer, or has no capped `logs`."""


class NotJson(LoggingError):
    """The body is not declared as JSON."""


class QueryTimeout(LoggingError):
    """MongoDB gave a query up at its time limit."""


# Exception -> (status, stable code). Codes of errors that Flask raises itself are in problems.py.
TABLE: Mapping[type[LoggingError], tuple[int, str]] = {
    BadInput: (400, "bad_input"),
    StoreUnavailable: (503, "store_unavailable"),
    NotJson: (415, "unsupported_media_type"),
    QueryTimeout: (503, "query_timeout"),
}


def install(app: Flask) -> None:
    """Answer every error of `app` as a problem."""

    def logging_error(error: LoggingError) -> Response:
        status, code = TABLE[type(error)]
        return problems.problem(status, code, error.detail, **error.members)

    answers = {
        LoggingError: logging_error,
        Unauthorized: problems.unauthorized,
        KeysUnavailable: problems.no_keys,
    }
    problems.install(app, "the logging service", answers)
