"""What can go wrong, and the one table that says how it is answered (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
import structlog
from flask import Flask, Response, request
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException

from api_gateway.bearer import KeysUnavailable, Unauthorized


class GatewayError(Exception):
    """An error with an answer of its own. `detail` and `members` are safe to show."""

    def __init__(self, detail: str, **members: Any) -> None:
        super().__init__(detail)
        self.detail, self.members = detail, members


class QueryTooLong(GatewayError):
    """The query string is over the limit."""


class UpstreamError(GatewayError):
    """An upstream gave no answer that may be passed on."""

    def __init__(self, upstream: str, detail: str) -> None:
        super().__init__(detail, upstream=upstream)
        self.upstream = upstream


class UpstreamUnavailable(UpstreamError):
    """It cannot be reached, or its circuit is open."""


class UpstreamTimeout(UpstreamError):
    """It was reached and did not answer in time."""


class UpstreamInvalid(UpstreamError):
    """It answered something that the contract does not know: refused our token, no JSON, too large."""


# Exception -> (status, stable code). Codes of errors that Flask raises itself are in _HTTP_CODES.
TABLE: Mapping[type[GatewayError], tuple[int, str]] = {
    QueryTooLong: (414, "query_too_long"),
    UpstreamUnavailable: (503, "upstream_unavailable"),
    UpstreamTimeout: (504, "upstream_timeout"),
    UpstreamInvalid: (502, "upstream_invalid"),
}
_HTTP_CODES = {
    400: "bad_input",
    401: "unauthorized",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    415: "unsupported_media_type",
    429: "rate_limited",
}


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


_RULES = {"extra_forbidden": "is not a parameter of this route", "missing": "must be given"}


def bad_input(error: ValidationError) -> Response:
    """400 that names every field that breaks its rule, without repeating its value."""
    errors = [
        {
            "field": ".".join(map(str, one["loc"])) or "body",
            "rule": _RULES.get(one["type"], one["msg"].removeprefix("Value error, ")),
        }
        for one in error.errors(include_url=False, include_input=False)
    ]
    detail = "; ".join(f"{one['field']}: {one['rule']}" for one in errors)
    return problem(400, "bad_input", detail, errors=errors)


def install(app: Flask) -> None:
    """Answer every error of `app` as a problem."""

    def gateway_error(error: GatewayError) -> Response:
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
        if status < 400 or error.response is not None:  # a redirect, or an answer that is made already
            return error
        detail = error.description or HTTPStatus(status).phrase
        answer = problem(status, _HTTP_CODES.get(status, "http_error"), detail)
        for name, value in error.get_headers():
            if name not in ("Content-Type", "Content-Length"):
                answer.headers[name] = value  # Allow of a 405
        return answer

    def unexpected(error: Exception) -> Response:
        structlog.get_logger("errors").error("unexpected", exc_info=error)
        return problem(500, "internal_error", "the gateway failed; the request id finds it in the logs")

    app.register_error_handler(GatewayError, gateway_error)
    app.register_error_handler(Unauthorized, unauthorized)
    app.register_error_handler(KeysUnavailable, no_keys)
    app.register_error_handler(HTTPException, http_error)
    app.register_error_handler(Exception, unexpected)
