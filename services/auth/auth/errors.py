"""What can go wrong, and the one table that says how it is answered (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from flask import Flask, Response
from pydantic import ValidationError
from pymongo.errors import PyMongoError

from auth.chassis import problems


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


# Exception -> (status, stable code). Codes of errors that Flask raises itself are in problems.py.
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


def install(app: Flask) -> None:
    """Answer every error of `app` as a problem."""

    def auth_error(error: AuthError) -> Response:
        status, code = TABLE[type(error)]
        return problems.problem(status, code, error.detail, **error.members)

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

    problems.install(
        app, "auth", {AuthError: auth_error, ValidationError: bad_body, PyMongoError: store_away}
    )
