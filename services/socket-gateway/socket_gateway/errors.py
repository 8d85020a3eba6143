"""Errors that the gateway sends to clients. Programs use the stable `code`; the message is for people."""

from __future__ import annotations


class GatewayError(Exception):
    """Sent to the client as the event `error` {code, message}."""

    code = "internal"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class BadRequest(GatewayError):
    """The payload breaks the protocol. The message names the field."""

    code = "bad_request"


class UnknownEvent(GatewayError):
    code = "unknown_event"


class RateLimited(GatewayError):
    code = "rate_limited"


class TooManySubscriptions(GatewayError):
    code = "too_many_subscriptions"


class CacheUnavailable(GatewayError):
    """Redis did not answer. OUTAGE POLICY: the subscription is kept, only its snapshot is missing."""

    code = "cache_unavailable"


class Refused(GatewayError):
    """The connection is refused; the client receives Socket.IO's connect_error."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
