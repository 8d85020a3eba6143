"""The logging service's errors, and the table that maps each to a status and a code (RFC 9457)."""

from __future__ import annotations

from flask import Flask

from logging_service.chassis import problems
from logging_service.chassis.bearer import KeysUnavailable, Unauthorized
from logging_service.chassis.problems import BadInput, ServiceError


class StoreUnavailable(ServiceError):
    """MongoDB does not answer, or the collection `logs` is missing or not capped."""


class NotJson(ServiceError):
    """The request's content type is not JSON."""


class QueryTimeout(ServiceError):
    """MongoDB aborted a query at its time limit."""


# chassis/problems.py has the codes of Flask's own errors.
TABLE: problems.Table = {
    BadInput: (400, "bad_input"),
    StoreUnavailable: (503, "store_unavailable"),
    NotJson: (415, "unsupported_media_type"),
    QueryTimeout: (503, "query_timeout"),
}


def install(app: Flask) -> None:
    """Make `app` answer every error as a problem."""

    tokens = {Unauthorized: problems.unauthorized, KeysUnavailable: problems.no_keys}
    problems.install(app, "the logging service", TABLE, tokens)
