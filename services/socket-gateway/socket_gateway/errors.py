"""What can go wrong between a client and the gateway; `code` is stable, the message is for people."""

from __future__ import annotations


class GatewayError(Exception):
    """Told to the client as the event `error` {code, message}."""

    code = "internal"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class BadRequest(GatewayError):
    """A payload that breaks the protocol; the message names the field."""

    code = "bad_request"


class UnknownEvent(GatewayError):
    code = "unknown_event"


class RateLimited(GatewayError):
    code = "rate_limited"


class TooManySubscriptions(GatewayError):
    code = "too_many_subscriptions"


class CacheUnavailable(GatewayError):
    """Redis did not answer. Outage policy: the subscription stands, only the snapshot is missing."""

    code = "cache_unavailable"


class Refused(GatewayError):
    """The connection is not accepted: becomes Socket.IO's connect_error."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
