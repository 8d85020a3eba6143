"""Verify bearer tokens locally, with the keys that the auth service publishes."""

from __future__ import annotations

from collections.abc import Mapping
from http.client import HTTPException
from typing import Any

import jwt

from .signing_keys import KeysUnavailable, SigningKeys

__all__ = ["KeysUnavailable", "Unauthorized", "Verifier"]

ISSUER = "deltastream-auth"
ALGORITHMS = ["EdDSA"]  # fixed here, so that the token's header cannot choose a weaker one


class Unauthorized(Exception):
    """The token is missing or invalid. `reason` is safe to show to the client."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Verifier:
    """Checks signature, issuer, audience and times (30 s leeway) of an access token.

    The keys come from `jwks_url`; signing_keys.py decides when they are fetched.
    """

    def __init__(self, jwks_url: str, audience: str) -> None:
        self._audience = audience
        client = jwt.PyJWKClient(jwks_url, cache_jwk_set=False, timeout=3)
        self._keys = SigningKeys(lambda: _fetched(client))

    def claims(self, authorization: str | None) -> dict[str, Any]:
        """Return the claims of the token in an `Authorization: Bearer …` header.

        Raises Unauthorized if the token is missing or invalid, KeysUnavailable if it cannot be verified.
        """
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Unauthorized("a bearer token is needed: Authorization: Bearer <token>")
        try:
            key = self._keys.find(jwt.get_unverified_header(token.strip()).get("kid"))
            if key is None:
                raise Unauthorized("the token is not valid")
            return self._decode(token.strip(), key)
        except jwt.ExpiredSignatureError as error:
            raise Unauthorized("the token has expired: refresh it or log in again") from error
        except jwt.InvalidAudienceError as error:
            raise Unauthorized("the token is for another audience") from error
        except (jwt.PyJWTError, ValueError) as error:
            raise Unauthorized("the token is not valid") from error

    def _decode(self, token: str, key: Any) -> dict[str, Any]:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=ALGORITHMS,
            audience=self._audience,
            issuer=ISSUER,
            leeway=30,
            options={"require": ["exp", "iat", "iss", "aud", "sub", "jti"]},
        )
        return claims


def _fetched(client: jwt.PyJWKClient) -> Mapping[str, Any]:
    """Return the published keys by `kid`. An answer that is no set of keys is an outage too."""
    try:
        return {str(one.key_id): one.key for one in client.get_signing_keys()}
    except (jwt.PyJWTError, ValueError, OSError, HTTPException) as error:
        raise KeysUnavailable from error
