"""What can go wrong, and the one table that says how it is answered (RFC 9457)."""

from __future__ import annotations

from flask import Flask, Response
from pydantic import ValidationError

from api_gateway.chassis import problems
from api_gateway.chassis.bearer import KeysUnavailable, Unauthorized
from api_gateway.chassis.problems import ServiceError


class QueryTooLong(ServiceError):
    """The query string is over the limit."""


class ForeignHost(ServiceError):
    """Asked by a name that may be anybody's (DNS rebinding)."""


class UpstreamError(ServiceError):
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


# Codes of errors that Flask raises itself are in chassis/problems.py.
TABLE: problems.Table = {
    QueryTooLong: (414, "query_too_long"),
    ForeignHost: (421, "foreign_host"),
    UpstreamUnavailable: (503, "upstream_unavailable"),
    UpstreamTimeout: (504, "upstream_timeout"),
    UpstreamInvalid: (502, "upstream_invalid"),
}


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
    return problems.problem(400, "bad_input", detail, errors=errors)


def install(app: Flask) -> None:
    """Answer every error of `app` as a problem."""

    tokens = {Unauthorized: problems.unauthorized, KeysUnavailable: problems.no_keys}
    problems.install(app, "the gateway", TABLE, tokens)
