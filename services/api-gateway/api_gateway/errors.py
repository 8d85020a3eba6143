"""The gateway's errors, and the table that maps each to a status and a code (RFC 9457)."""

from __future__ import annotations

from flask import Flask, Response
from pydantic import ValidationError

from api_gateway.chassis import problems
from api_gateway.chassis.bearer import KeysUnavailable, Unauthorized
from api_gateway.chassis.problems import BadInput, ServiceError


class QueryTooLong(ServiceError):
    """The query string exceeds the limit."""


class ForeignHost(ServiceError):
    """The Host header has a name that is not allowed, as in a DNS rebinding attack."""


class NotOperator(ServiceError):
    """The account lacks the role operator."""


class NotIngest(ServiceError):
    """The account lacks the role ingest."""


class FeedsUnavailable(ServiceError):
    """There is no feeds table, or Redis does not answer."""


class FeedUnknown(ServiceError):
    """The local run has no feed of this name."""


class FeedNotExternal(ServiceError):
    """The feed's messages come from the product's own generators."""


class FeedNotReplay(ServiceError):
    """The feed replays no recording."""


class ReplayUnavailable(ServiceError):
    """No generator of the replay reports."""


class ImportUnknown(ServiceError):
    """There is no import of this id."""


class BackPressure(ServiceError):
    """The enrichers or Redis cannot take more messages now. Try again after `retry_s` seconds."""

    def __init__(self, detail: str, retry_s: int) -> None:
        super().__init__(detail)
        self.retry_s = retry_s


class StreamUnavailable(ServiceError):
    """Redis did not confirm that it has appended the messages."""


class WrongMediaType(ServiceError):
    """The body has a type or an encoding that this route does not read."""


class ChangeRefused(ServiceError):
    """The feed cannot take the change."""


class ClusterIsAuthority(ServiceError):
    """The feeds are resources of a cluster, and the API does not change them."""


class OperatorTimeout(ServiceError):
    """The local run did not reply in time."""


class UpstreamError(ServiceError):
    """An upstream gave no response that the gateway can return to the client."""

    def __init__(self, upstream: str, detail: str) -> None:
        super().__init__(detail, upstream=upstream)
        self.upstream = upstream


class UpstreamUnavailable(UpstreamError):
    """The upstream cannot be reached, or its circuit breaker is open."""


class UpstreamTimeout(UpstreamError):
    """The upstream was reached but did not answer in time."""


class UpstreamInvalid(UpstreamError):
    """The response violates the contract: the gateway's token refused, not JSON, or too large."""


# chassis/problems.py has the codes of Flask's own errors.
TABLE: problems.Table = {
    BadInput: (400, "bad_input"),
    QueryTooLong: (414, "query_too_long"),
    ForeignHost: (421, "foreign_host"),
    NotOperator: (403, "operator_role_needed"),
    NotIngest: (403, "ingest_role_needed"),
    FeedsUnavailable: (503, "feeds_unavailable"),
    FeedUnknown: (404, "unknown_feed"),
    FeedNotExternal: (409, "feed_not_external"),
    FeedNotReplay: (409, "feed_not_replay"),
    ReplayUnavailable: (409, "replay_unavailable"),
    ImportUnknown: (404, "unknown_import"),
    BackPressure: (429, "back_pressure"),
    StreamUnavailable: (503, "stream_unavailable"),
    WrongMediaType: (415, "unsupported_media_type"),
    ChangeRefused: (400, "bad_input"),
    ClusterIsAuthority: (409, "cluster_is_authority"),
    OperatorTimeout: (504, "operator_timeout"),
    UpstreamUnavailable: (503, "upstream_unavailable"),
    UpstreamTimeout: (504, "upstream_timeout"),
    UpstreamInvalid: (502, "upstream_invalid"),
}


_RULES = {"extra_forbidden": "is not a parameter of this route", "missing": "must be given"}


def bad_input(error: ValidationError) -> Response:
    """Return a 400 problem that names every invalid field and its rule, but not the value."""
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
    """Make `app` answer every error as a problem."""

    def back_pressure(error: BackPressure) -> Response:
        status, code = TABLE[BackPressure]
        answer = problems.problem(status, code, error.detail)
        answer.headers["Retry-After"] = str(error.retry_s)
        return answer

    tokens = {Unauthorized: problems.unauthorized, KeysUnavailable: problems.no_keys}
    problems.install(app, "the gateway", TABLE, {**tokens, BackPressure: back_pressure})
