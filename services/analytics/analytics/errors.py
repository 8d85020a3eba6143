"""What can go wrong, and the one table that says how it is answered (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Flask, Response

from analytics.chassis import problems
from analytics.chassis.bearer import KeysUnavailable, Unauthorized


class AnalyticsError(Exception):
    """An error with an answer of its own. `detail` and `members` are safe to show."""

    def __init__(self, detail: str, **members: Any) -> None:
        super().__init__(detail)
        self.detail, self.members = detail, members


class BadInput(AnalyticsError):
    """Parameters that break their rules: (field, rule) pairs, without the values."""

    def __init__(self, *broken: tuple[str, str]) -> None:
        super().__init__(
            "; ".join(f"{field}: {rule}" for field, rule in broken),
            errors=[{"field": field, "rule": rule} for field, rule in broken],
        )


class UnknownProduct(AnalyticsError):
    """Neither the cache nor storage has what was asked about the product."""


class UnknownExpiry(AnalyticsError):
    """The product is known, the expiry is not."""


class SourcesUnavailable(AnalyticsError):
    """The cache has no answer and storage gives none, so nothing can be said: neither a number nor a 404."""


class StorageUnavailable(AnalyticsError):
    """Only storage could answer this, and it does not."""


# Exception -> (status, stable code). Codes of errors that Flask raises itself are in problems.py.
TABLE: Mapping[type[AnalyticsError], tuple[int, str]] = {
    BadInput: (400, "bad_input"),
    UnknownProduct: (404, "unknown_product"),
    UnknownExpiry: (404, "unknown_expiry"),
    SourcesUnavailable: (503, "sources_unavailable"),
    StorageUnavailable: (503, "storage_unavailable"),
}


def install(app: Flask) -> None:
    """Answer every error of `app` as a problem."""

    def analytics_error(error: AnalyticsError) -> Response:
        status, code = TABLE[type(error)]
        return problems.problem(status, code, error.detail, **error.members)

    answers = {
        AnalyticsError: analytics_error,
        Unauthorized: problems.unauthorized,
        KeysUnavailable: problems.no_keys,
    }
    problems.install(app, "analytics", answers)
