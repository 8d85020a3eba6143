"""auth's errors, and the table that maps each to a status and a code (RFC 9457)."""

from __future__ import annotations

import structlog
from flask import Flask, Response
from pydantic import ValidationError
from pymongo.errors import PyMongoError

from auth.chassis import problems
from auth.chassis.problems import BadInput, ServiceError


class EmailTaken(ServiceError):
    """An account with this email already exists."""


class BadCredentials(ServiceError):
    """Email or password is wrong. The error does not reveal which."""


class BadToken(ServiceError):
    """A token is not valid. The error does not reveal why."""


class BadClient(ServiceError):
    """Client id or secret is wrong."""


class AudienceRefused(ServiceError):
    """The client's credentials are right, but it may not call that service."""


class NotJson(ServiceError):
    """The request's content type is not JSON."""


class Busy(ServiceError):
    """Too many passwords are being hashed or waiting."""


# chassis/problems.py has the codes of Flask's own errors.
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
    """Make `app` answer every error as a problem."""

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

    def store_unavailable(error: PyMongoError) -> Response:
        # NB: log only the type of the error: its text may contain a document.
        structlog.get_logger("errors").error("store_unavailable", error=type(error).__name__)
        return problems.problem(503, "store_unavailable", "the accounts cannot be reached")

    problems.install(app, "auth", TABLE, {ValidationError: bad_body, PyMongoError: store_unavailable})
