"""What can go wrong, and the one table that says how it is answered (RFC 9457)."""

from __future__ import annotations

from flask import Flask

from analytics.chassis import problems
from analytics.chassis.bearer import KeysUnavailable, Unauthorized
from analytics.chassis.problems import BadInput, ServiceError


class UnknownProduct(ServiceError):
    """Neither the cache nor storage has what was asked about the product."""


class UnknownExpiry(ServiceError):
    """The product is known, the expiry is not."""


class SourcesUnavailable(ServiceError):
    """The cache has no answer and storage gives none, so nothing can be said: neither a number nor a 404."""


class StorageUnavailable(ServiceError):
    """Only storage could answer this, and it does not."""


# Codes of errors that Flask raises itself are in chassis/problems.py.
TABLE: problems.Table = {
    BadInput: (400, "bad_input"),
    UnknownProduct: (404, "unknown_product"),
    UnknownExpiry: (404, "unknown_expiry"),
    SourcesUnavailable: (503, "sources_unavailable"),
    StorageUnavailable: (503, "storage_unavailable"),
}


def install(app: Flask) -> None:
    """Answer every error of `app` as a problem."""

    tokens = {Unauthorized: problems.unauthorized, KeysUnavailable: problems.no_keys}
    problems.install(app, "analytics", TABLE, tokens)
