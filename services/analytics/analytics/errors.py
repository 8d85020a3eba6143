"""What can go wrong, and the one table that says how it is answered (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
import structlog
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from analytics.bearer import KeysUnavailable, Unauthorized


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


# Exception -> (status, stable code). Codes of errors that Flask raises itself are in _HTTP_CODES.
TABLE: Mapping[type[AnalyticsError], tuple[int, str]] = {
    BadInput: (400, "bad_input"),
    UnknownProduct: (404, "unknown_product"),
    UnknownExpiry: (404, "unknown_expiry"),
    SourcesUnavailable: (503, "sources_unavailable"),
    StorageUnavailable: (503, "storage_unavailable"),
}
_HTTP_CODES = {400: "bad_input", 404: "not_found", 405: "method_not_allowed", 413: "body_too_large"}


def problem(status: int, code: str, detail: str, **members: Any) -> Response:
    """A problem+json answer that carries the id of the request."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": request.environ.get("deltastream.request_id", ""),
        **members,
    }
    return Response(orjson.dumps(body), status, content_type="application/problem+json")


def install(app: Flask) -> None:
    """Answer every error of `app` as a problem."""

    def analytics_error(error: AnalyticsError) -> Response:
        status, code = TABLE[type(error)]
        return problem(status, code, error.detail, **error.members)

    def unauthorized(error: Unauthorized) -> Response:
        answer = problem(401, "unauthorized", error.reason)
        answer.headers["WWW-Authenticate"] = "Bearer"
        return answer

    def no_keys(_error: KeysUnavailable) -> Response:
        return problem(
            503, "upstream_unavailable", "tokens cannot be judged: auth does not answer", upstream="auth"
        )

    def http_error(error: HTTPException) -> Response | HTTPException:
        status = error.code or 500
        if status < 400:
            return error
        detail = error.description or HTTPStatus(status).phrase
        answer = problem(status, _HTTP_CODES.get(status, "http_error"), detail)
        for name, value in error.get_headers():
            if name not in ("Content-Type", "Content-Length"):
                answer.headers[name] = value  # Allow of a 405
        return answer

    def unexpected(error: Exception) -> Response:
        structlog.get_logger("errors").error("unexpected", exc_info=error)
        return problem(500, "internal_error", "analytics failed; the request id finds it in the logs")

    app.register_error_handler(AnalyticsError, analytics_error)
    app.register_error_handler(Unauthorized, unauthorized)
    app.register_error_handler(KeysUnavailable, no_keys)
    app.register_error_handler(HTTPException, http_error)
    app.register_error_handler(Exception, unexpected)
