"""Authorise a Socket.IO handshake by its token."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from socket_gateway.chassis.bearer import KeysUnavailable, Unauthorized, Verifier
from socket_gateway.errors import Refused

AUDIENCE = "deltastream-api"
_LEEWAY_S = 30  # as in bearer.py: a connection lasts as long as its token is accepted


@dataclass(frozen=True)
class Identity:
    """An authorised caller.

    `subject` is empty for an anonymous caller. `until_s` is the end of the connection in epoch seconds, or
    None if it has no end.
    """

    subject: str
    until_s: float | None


class Access:
    """Verifies the token in the auth payload, the Authorization header or `?token=`, in this order.

    OUTAGE POLICY: fail closed. While auth's keys cannot be read, all tokens are refused.
    """

    def __init__(self, verifier: Verifier, *, anonymous: bool) -> None:
        self._verifier, self._anonymous = verifier, anonymous

    def admit(self, environ: Mapping[str, Any], auth: Any) -> Identity:
        """Return the identity behind a handshake. Raises Refused."""
        authorization = _authorization(environ, auth)
        if authorization is None:
            if self._anonymous:
                return Identity("", None)
            raise Refused("unauthorized", "a token is needed: auth {token}, Authorization: Bearer or ?token=")
        try:
            claims = self._verifier.claims(authorization)
        except Unauthorized as error:
            raise Refused("unauthorized", error.reason) from error
        except KeysUnavailable as error:
            raise Refused("auth_unavailable", "tokens cannot be verified at the moment: try again") from error
        until_s = None if self._anonymous else float(claims["exp"]) + _LEEWAY_S
        return Identity(str(claims["sub"]), until_s)


def _authorization(environ: Mapping[str, Any], auth: Any) -> str | None:
    if isinstance(auth, dict) and auth.get("token") is not None:
        return f"Bearer {auth['token']}"
    if environ.get("HTTP_AUTHORIZATION"):
        return str(environ["HTTP_AUTHORIZATION"])
    token = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True).get("token")
    return f"Bearer {token[0]}" if token else None
