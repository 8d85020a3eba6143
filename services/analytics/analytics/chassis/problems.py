"""Answer errors as problem+json (RFC 9457), in the same form in every HTTP service."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

import structlog
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

_HTTP_CODES = {
    400: "bad_input",
    401: "unauthorized",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    415: "unsupported_media_type",
    429: "rate_limited",
}


class ServiceError(Exception):
    """Base class of a service's own errors. `detail` and `members` go to the client."""

    def __init__(self, detail: str, **members: Any) -> None:
        super().__init__(detail)
        self.detail, self.members = detail, members


class BadInput(ServiceError):
    """Invalid parameters, as (field, rule) pairs. The values are not repeated."""

    def __init__(self, *broken: tuple[str, str]) -> None:
        super().__init__(
            "; ".join(f"{field}: {rule}" for field, rule in broken),
            errors=[{"field": field, "rule": rule} for field, rule in broken],
        )


# Maps each error class of a service to its HTTP status and its stable error code.
Table = Mapping[type[ServiceError], tuple[int, str]]


def problem(status: int, code: str, detail: str, **members: Any) -> Response:
    """Return a problem+json response with the request's id. `members` are added to the body."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": request.environ.get("deltastream.request_id", ""),
        **members,
    }
    answer = Response(json.dumps(body), status, content_type="application/problem+json")
    if status == 401:
        answer.headers["WWW-Authenticate"] = "Bearer"
    if status == 503:
        answer.headers["Retry-After"] = "1"
    return answer


def unauthorized(error: Any) -> Response:
    """Return the 401 response for a missing or invalid token (bearer.Unauthorized)."""
    return problem(401, "unauthorized", error.reason)


def no_keys(_error: Any) -> Response:
    """Return the 503 response while tokens cannot be verified (bearer.KeysUnavailable)."""
    return problem(
        503, "upstream_unavailable", "tokens cannot be verified: auth does not answer", upstream="auth"
    )


def install(
    app: Flask, service: str, table: Table, others: Mapping[type[Exception], Callable[[Any], Response]]
) -> None:
    """Register error handlers on `app`, so that every error becomes a problem.

    `table` covers the service's own errors and `others` the errors of libraries. HTTP errors keep their
    status. Any other exception becomes a 500; the text names `service`.
    """

    def service_error(error: ServiceError) -> Response:
        status, code = table[type(error)]
        return problem(status, code, error.detail, **error.members)

    def http_error(error: HTTPException) -> Response | HTTPException:
        status = error.code or 500
        if status < 400 or error.response is not None:  # a redirect, or an error with a response
            return error
        detail = error.description or HTTPStatus(status).phrase
        answer = problem(status, _HTTP_CODES.get(status, "http_error"), detail)
        for name, value in error.get_headers():
            if name not in ("Content-Type", "Content-Length"):
                answer.headers[name] = value  # for example Allow in a 405
        return answer

    def unexpected(error: Exception) -> Response:
        # Log places in the code, not the exception's text: the text may contain what a caller sent.
        frames = traceback.extract_tb(error.__traceback__)
        places = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames[-8:]]
        structlog.get_logger("errors").error("unexpected", error=type(error).__name__, places=places)
        return problem(500, "internal_error", f"{service} failed; search the logs for the request id")

    app.register_error_handler(ServiceError, service_error)
    for kind, answer in others.items():
        app.register_error_handler(kind, answer)
    app.register_error_handler(HTTPException, http_error)
    app.register_error_handler(Exception, unexpected)
