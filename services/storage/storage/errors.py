"""What can go wrong, and the one table that says how it is answered (RFC 9457)."""

from __future__ import annotations

from flask import Flask

from storage.chassis import problems
from storage.chassis.bearer import KeysUnavailable, Unauthorized
from storage.chassis.problems import BadInput, ServiceError


class StoreUnavailable(ServiceError):
    """MongoDB does not answer, or refuses this service."""


class QueryTimeout(ServiceError):
    """MongoDB gave a query up at its time limit."""


# Codes of errors that Flask raises itself are in chassis/problems.py.
TABLE: problems.Table = {
    BadInput: (400, "bad_input"),
    StoreUnavailable: (503, "store_unavailable"),
    QueryTimeout: (503, "query_timeout"),
}


def install(app: Flask) -> None:
    """Answer every error of `app` as a problem."""

    tokens = {Unauthorized: problems.unauthorized, KeysUnavailable: problems.no_keys}
    problems.install(app, "storage", TABLE, tokens)
