"""What can go wrong, and the one table that says how it is answered (RFC 9457)."""

from __future__ import annotations

import json
import traceback
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

import structlog
from flask import Flask, Response, request
from pydantic import ValidationError
from pymongo.errors import PyMongoError
from werkzeug.exceptions import HTTPException


class AuthError(Exception):
    """An error with an answer of its own. `detail` and `members` are safe to show."""

    def __init__(self, detail: str, **members: Any) -> None:
        super().__init__(detail)
        self.detail, self.members = detail, members


class BadInput(AuthError):
    """A field that breaks its rule; the value is not repeated."""

    def __init__(self, field: str, rule: str) -> None:
        super().__init__(f"{field}: {rule}", errors=[{"field": field, "rule": rule}])


class EmailTaken(AuthError):
    """The account exists."""


class BadCredentials(AuthError):
    """Email or password do not hold; which of the two is not said."""


class BadToken(AuthError):
    """A token that does not hold; why is not said."""


class BadClient(AuthError):
    """Client id or secret do not hold."""


class AudienceRefused(AuthError):
    """The client holds, but may not call that service."""


class NotJson(AuthError):
    """The body is not declared as JSON."""


class Busy(AuthError):
    """Every place to hash a password is taken."""


# Exception -> (status, stable code). Codes of errors that Flask raises itself are in _HTTP_CODES.
TABLE: Mapping[type[AuthError], tuple[int, str]] = {
    BadInput: (400, "bad_input"),
    EmailTaken: (409, "email_taken"),
    BadCredentials: (401, "bad_credentials"),
    BadToken: (401, "unauthorized"),
    BadClient: (401, "invalid_client"),
    AudienceRefused: (403, "audience_refused"),
    NotJson: (415, "unsupported_media_type"),
    Busy: (503, "busy"),
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
    answer = Response(json.dumps(body), status, content_type="application/problem+json")
    if status == 401:
        answer.headers["WWW-Authenticate"] = "Bearer"
    if status == 503:
        answer.headers["Retry-After"] = "1"
    return answer


def install(app: Flask) -> None:
    """Answer every error of `app` as a problem."""

    def auth_error(error: AuthError) -> Response:
        status, code = TABLE[type(error)]
        return problem(status, code, error.detail, **error.members)

    def bad_body(error: ValidationError) -> Response:
        errors = [
            {
                "field": ".".join(map(str, one["loc"])) or "body",
                "rule": one["msg"].removeprefix("Value error, "),
            }
            for one in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        detail = "; ".join(f"{one['field']}: {one['rule']}" for one in errors)
        return problem(400, "bad_input", detail, errors=errors)

    def store_away(error: PyMongoError) -> Response:
        # NB: never the text of these errors: it may repeat a document.
        structlog.get_logger("errors").error("store_unavailable", error=type(error).__name__)
        return problem(503, "store_unavailable", "the accounts cannot be reached")

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
        # Places, not text: an exception's text may hold what a caller sent.
        frames = traceback.extract_tb(error.__traceback__)
        places = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames[-8:]]
        structlog.get_logger("errors").error("unexpected", error=type(error).__name__, places=places)
        return problem(500, "internal_error", "auth failed; the request id finds it in the logs")

    app.register_error_handler(AuthError, auth_error)
    app.register_error_handler(ValidationError, bad_body)
    app.register_error_handler(PyMongoError, store_away)
    app.register_error_handler(HTTPException, http_error)
    app.register_error_handler(Exception, unexpected)
