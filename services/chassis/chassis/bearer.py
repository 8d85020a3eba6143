"""Verify bearer tokens locally, with the keys that the auth service publishes."""

from __future__ import annotations

import threading
import time
from typing import Any

import jwt

ISSUER = "deltastream-auth"
ALGORITHMS = ["EdDSA"]  # fixed here, so that the token's header cannot choose a weaker one
LEEWAY_S = 30
MAX_VERIFIED = 1024


class Unauthorized(Exception):
    """The token is missing or invalid. `reason` is safe to show to the client."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class KeysUnavailable(Exception):
    """The auth service's keys are unavailable, so no token can be verified: an outage, not a refusal."""


class Verifier:
    """Checks signature, issuer, audience and times (30 s leeway) of an access token.

    The keys come from `jwks_url`. They are cached for five minutes and fetched again for an unknown `kid`. A
    token that was valid is verified again once its key was fetched again, or once it has expired.
    """

    def __init__(self, jwks_url: str, audience: str) -> None:
        self._audience = audience
        self._keys = jwt.PyJWKClient(jwks_url, cache_jwk_set=True, lifespan=300, timeout=3)
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
            key = self._keys.get_signing_key_from_jwt(token).key
            verified_with, claims = self._verified.get(token, (None, {}))
            if verified_with is key and time.time() < claims["exp"] + LEEWAY_S:
                return claims
            claims = self._decode(token, key)
        except jwt.PyJWKClientConnectionError as error:
            raise KeysUnavailable from error
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
