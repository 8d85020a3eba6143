"""Bearer tokens, verified locally against the auth service's published keys."""

from __future__ import annotations

from typing import Any

import jwt

ISSUER = "deltastream-auth"
ALGORITHMS = ["EdDSA"]  # fixed here: the token's own header never chooses


class Unauthorized(Exception):
    """No token, or one that does not hold. `reason` is safe to show."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class KeysUnavailable(Exception):
    """The auth service's keys cannot be read, so no token can be judged: an outage, not a refusal."""


class Verifier:
    """Checks signature, issuer, audience and times (30 s leeway) of an access token.

    Keys come from `jwks_url`, are kept for five minutes and fetched anew for an unknown `kid`.
    """

    def __init__(self, jwks_url: str, audience: str) -> None:
        self._audience = audience
        self._keys = jwt.PyJWKClient(jwks_url, cache_jwk_set=True, lifespan=300, timeout=3)

    def claims(self, authorization: str | None) -> dict[str, Any]:
        """The claims behind an `Authorization: Bearer …` header.

        Raises Unauthorized with a reason, or KeysUnavailable.
        """
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise Unauthorized("a bearer token is needed: Authorization: Bearer <token>")
        try:
            key = self._keys.get_signing_key_from_jwt(token.strip())
            return self._decode(token.strip(), key.key)
        except jwt.PyJWKClientConnectionError as error:
            raise KeysUnavailable from error
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
