"""Analytics' errors, and the table that maps each to a status and a code (RFC 9457)."""

from __future__ import annotations

from flask import Flask

from analytics.chassis import problems
from analytics.chassis.bearer import KeysUnavailable, Unauthorized
from analytics.chassis.problems import BadInput, ServiceError


class UnknownProduct(ServiceError):
    """Neither the cache nor storage has the requested data of the product."""


class UnknownExpiry(ServiceError):
    """The product is known, but the requested expiry is not."""


class SourcesUnavailable(ServiceError):
    """The cache has no data and storage failed, so analytics does not know whether the data exists."""


class StorageUnavailable(ServiceError):
    """The request needs storage, and storage failed."""


# chassis/problems.py has the codes of Flask's own errors.
TABLE: problems.Table = {
    BadInput: (400, "bad_input"),
    UnknownProduct: (404, "unknown_product"),
    UnknownExpiry: (404, "unknown_expiry"),
    SourcesUnavailable: (503, "sources_unavailable"),
    StorageUnavailable: (503, "storage_unavailable"),
}


def install(app: Flask) -> None:
    """Make `app` answer every error as a problem."""

    tokens = {Unauthorized: problems.unauthorized, KeysUnavailable: problems.no_keys}
    problems.install(app, "analytics", TABLE, tokens)
