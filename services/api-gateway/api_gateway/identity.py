"""Identify the caller of a request: by the account in its token, else by its address."""

from __future__ import annotations

from typing import Any

from flask import g, request

from api_gateway.chassis.addresses import network
from api_gateway.chassis.bearer import KeysUnavailable, Unauthorized, Verifier
from api_gateway.errors import NotIngest, NotOperator

AUDIENCE = "deltastream-api"
READS = frozenset({"data", "analytics", "feeds"})  # the blueprints that need a user's token
EXTENSION = "deltastream.identity"
OPERATOR, INGEST = "operator", "ingest"


class Identity:
    """Verifies the token of a request, once per request.

    Rate limits call `caller` before `admit` refuses an invalid token. So requests with invalid tokens count
    against the sender's address.
    """

    def __init__(self, verifier: Verifier, *, anonymous_read: bool) -> None:
        self._verifier, self._anonymous_read = verifier, anonymous_read

    def caller(self) -> str:
        """Return the rate limit key: the account if the token is valid, else the address."""
        return caller_of(self._verified(), request.remote_addr)

    def admit(self) -> None:
        """Check the token if the current request is a read. Raises Unauthorized or KeysUnavailable."""
        if request.blueprint in READS and request.method != "OPTIONS":
            claims = self._verified()
            if isinstance(claims, Exception):
                raise claims

    def account(self) -> str:
        """Return the account of the caller's token. Raises as `admit`, and Unauthorized without a token."""
        return str(self._claims()["sub"])

    def require_operator(self) -> None:
        """Raise NotOperator unless the caller's token has the role operator."""
        if OPERATOR not in self._claims().get("roles", ()):
            raise NotOperator(
                "only the account with the role operator may change feeds: the first one that was registered"
                " in this local run"
            )

    def require_ingest(self) -> None:
        """Raise NotIngest unless the caller's token has the role ingest."""
        if INGEST not in self._claims().get("roles", ()):
            raise NotIngest(
                "only an account with the role ingest may push messages: in a local run the first one that"
                " was registered, in a cluster those in the chart's value auth.ingestAccounts"
            )

    def _claims(self) -> dict[str, Any]:
        claims = self._verified()
        if claims is None:
            raise Unauthorized("a bearer token is needed: Authorization: Bearer <token>")
        if isinstance(claims, Exception):
            raise claims
        return claims

    def _verified(self) -> dict[str, Any] | Exception | None:
        if "claims_or_error" not in g:
            g.claims_or_error = self.verify(request.headers.get("Authorization"))
        found: dict[str, Any] | Exception | None = g.claims_or_error
        return found

    def verify(self, authorization: str | None) -> dict[str, Any] | Exception | None:
        """Return the claims in an Authorization header, None for an allowed anonymous read, or the error."""
        if authorization is None and self._anonymous_read:
            return None
        try:
            return self._verifier.claims(authorization)
        except (Unauthorized, KeysUnavailable) as error:
            return error


def caller_of(verified: dict[str, Any] | Exception | None, remote_addr: str | None) -> str:
    """Return the rate limit key: the account if the token is valid, else the address."""
    return f"account:{verified['sub']}" if isinstance(verified, dict) else _network(remote_addr)


def address() -> str:
    """Return the rate limit key of the caller's address. For IPv6 it is the /64, which one host owns."""
    return _network(request.remote_addr)


def _network(remote_addr: str | None) -> str:
    return f"address:{network(remote_addr or '') or 'unknown'}"
