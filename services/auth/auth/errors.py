"""What can go wrong, and the one table that says how it is answered (RFC 9457)."""

from __future__ import annotations

import structlog
from flask import Flask, Response
from pydantic import ValidationError
from pymongo.errors import PyMongoError

from auth.chassis import problems
from auth.chassis.problems import BadInput, ServiceError


class EmailTaken(ServiceError):
    """The account exists."""


class BadCredentials(ServiceError):
    """Email or password do not hold; which of the two is not said."""


class BadToken(ServiceError):
    """A token that does not hold; why is not said."""


class BadClient(ServiceError):
    """Client id or secret do not hold."""


class AudienceRefused(ServiceError):
    """The client holds, but may not call that service."""


class NotJson(ServiceError):
    """The body is not declared as JSON."""


class Busy(ServiceError):
    """Every place to hash a password is taken."""


# Codes of errors that Flask raises itself are in chassis/problems.py.
TABLE: problems.Table = {
    BadInput: (400, "bad_input"),
    EmailTaken: (409, "email_taken"),
    BadCredentials: (401, "bad_credentials"),
    BadToken: (401, "unauthorized"),
    BadClient: (401, "invalid_client"),
    AudienceRefused: (403, "audience_refused"),
    NotJson: (415, "unsupported_media_type"),
    Busy: (503, "busy"),
}


def install(app: Flask) -> None:
    """Answer every error of `app` as a problem."""

    def bad_body(error: ValidationError) -> Response:
        errors = [
            {
                "field": ".".join(map(str, one["loc"])) or "body",
                "rule": one["msg"].removeprefix("Value error, "),
            }
            for one in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        detail = "; ".join(f"{one['field']}: {one['rule']}" for one in errors)
        return problems.problem(400, "bad_input", detail, errors=errors)

    def store_away(error: PyMongoError) -> Response:
        # NB: never the text of these errors: it may repeat a document.
        structlog.get_logger("errors").error("store_unavailable", error=type(error).__name__)
        return problems.problem(503, "store_unavailable", "the accounts cannot be reached")

    problems.install(app, "auth", TABLE, {ValidationError: bad_body, PyMongoError: store_away})
