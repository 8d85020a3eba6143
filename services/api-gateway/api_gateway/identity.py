"""Who asks: the account behind a user's token, or an address."""

from __future__ import annotations

from typing import Any

from flask import g, request

from api_gateway.chassis.addresses import network
from api_gateway.chassis.bearer import KeysUnavailable, Unauthorized, Verifier

AUDIENCE = "deltastream-api"
READS = frozenset({"data", "analytics"})  # the blueprints that need a user


class Identity:
    """Judges the token of a read once; the limits ask first, then the route.

    The order matters: a refused token must cost its sender's address a request before it is refused.
    """

    def __init__(self, verifier: Verifier, *, anonymous_read: bool) -> None:
        self._verifier, self._anonymous_read = verifier, anonymous_read

    def caller(self) -> str:
        """The key of the limits: the account if the token holds, else the address."""
        claims = self._judged()
        return f"account:{claims['sub']}" if isinstance(claims, dict) else address()

    def admit(self) -> None:
        """Let the request of a read through. Raises Unauthorized or KeysUnavailable."""
        if request.blueprint in READS and request.method != "OPTIONS":
            claims = self._judged()
            if isinstance(claims, Exception):
                raise claims

    def _judged(self) -> dict[str, Any] | Exception | None:
        """The claims, None for an allowed anonymous read, or why not."""
        if "judged" not in g:
            g.judged = self._judge()
        judged: dict[str, Any] | Exception | None = g.judged
        return judged

    def _judge(self) -> dict[str, Any] | Exception | None:
        authorization = request.headers.get("Authorization")
        if authorization is None and self._anonymous_read:
            return None
        try:
            return self._verifier.claims(authorization)
        except (Unauthorized, KeysUnavailable) as error:
            return error


def address() -> str:
    """The caller's address; of IPv6 the /64, since one host owns all of it."""
    return f"address:{network(request.remote_addr or '') or 'unknown'}"
