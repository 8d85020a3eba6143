"""Verify bearer tokens locally, with the keys that the auth service publishes."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any

import jwt

from .signing_keys import KeysUnavailable, SigningKeys

__all__ = ["KeysUnavailable", "Unauthorized", "Verifier"]

ISSUER = "deltastream-auth"
ALGORITHMS = ["EdDSA"]  # fixed here, so that the token's header cannot choose a weaker one
LEEWAY_S = 30
MAX_VERIFIED = 1024


class Unauthorized(Exception):
    """The token is missing or invalid. `reason` is safe to show to the client."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Verifier:
    """Checks signature, issuer, audience and times (30 s leeway) of an access token.

    The keys come from `jwks_url`; signing_keys.py decides when they are fetched. A token that was valid is
    verified again once its key was fetched again, or once it has expired.
    """

    def __init__(self, jwks_url: str, audience: str) -> None:
        self._audience = audience
        client = jwt.PyJWKClient(jwks_url, cache_jwk_set=False, timeout=3)
        self._keys = SigningKeys(lambda: _fetched(client))
        self._lock = threading.Lock()
        self._verified: dict[str, tuple[Any, dict[str, Any]]] = {}  # token -> its key and its claims

    def claims(self, authorization: str | None) -> dict[str, Any]:
        """Return the claims of the token in an `Authorization: Bearer …` header.

        Raises Unauthorized if the token is missing or invalid, KeysUnavailable if it cannot be verified.
        """
        scheme, _, token = (authorization or "").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token:
            raise Unauthorized("a bearer token is needed: Authorization: Bearer <token>")
        try:
            key = self._keys.find(jwt.get_unverified_header(token).get("kid"))
            if key is None:
                raise Unauthorized("the token is not valid")
            verified_with, claims = self._verified.get(token, (None, {}))
            if verified_with is key and time.time() < claims["exp"] + LEEWAY_S:
                return claims
            claims = self._decode(token, key)
        except jwt.ExpiredSignatureError as error:
            raise Unauthorized("the token has expired: refresh it or log in again") from error
        except jwt.InvalidAudienceError as error:
            raise Unauthorized("the token is for another audience") from error
        except (jwt.PyJWTError, ValueError) as error:
            raise Unauthorized("the token is not valid") from error
        self._remember(token, key, claims)
        return claims

    def _remember(self, token: str, key: Any, claims: dict[str, Any]) -> None:
        with self._lock:
            self._verified.pop(token, None)
            self._verified[token] = (key, claims)
            if len(self._verified) > MAX_VERIFIED:
                del self._verified[next(iter(self._verified))]

    def _decode(self, token: str, key: Any) -> dict[str, Any]:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=ALGORITHMS,
            audience=self._audience,
            issuer=ISSUER,
            leeway=LEEWAY_S,
            options={"require": ["exp", "iat", "iss", "aud", "sub", "jti"]},
        )
        return claims


def _fetched(client: jwt.PyJWKClient) -> Mapping[str, Any]:
    """Return the published keys by `kid`. An answer that is no set of keys is an outage too."""
    try:
        return {str(one.key_id): one.key for one in client.get_signing_keys()}
    except (jwt.PyJWTError, ValueError, OSError, HTTPException) as error:
        raise KeysUnavailable from error
