"""Storage's errors, and the table that maps each to a status and a code (RFC 9457)."""

from __future__ import annotations

from flask import Flask

from storage.chassis import problems
from storage.chassis.bearer import KeysUnavailable, Unauthorized
from storage.chassis.problems import BadInput, ServiceError


class StoreUnavailable(ServiceError):
    """MongoDB is unavailable or refuses this service."""


class QueryTimeout(ServiceError):
    """MongoDB aborted a query at its time limit."""


# chassis/problems.py has the codes of Flask's own errors.
TABLE: problems.Table = {
    BadInput: (400, "bad_input"),
    StoreUnavailable: (503, "store_unavailable"),
    QueryTimeout: (503, "query_timeout"),
}


def install(app: Flask) -> None:
    """Make `app` answer every error as a problem."""

    tokens = {Unauthorized: problems.unauthorized, KeysUnavailable: problems.no_keys}
    problems.install(app, "storage", TABLE, tokens)
