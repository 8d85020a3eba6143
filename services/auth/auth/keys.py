"""Signing keys for access tokens: derived from the secrets and published as JWKS."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Callable
from typing import Any

import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

ISSUER = "deltastream-auth"
USER_AUDIENCE = "deltastream-api"
ALGORITHM = "EdDSA"
_SALT = b"deltastream-auth"
_INFO = b"deltastream access token signing key, ed25519, v1"  # changing it changes every key


def derive(secret: str, info: bytes) -> bytes:
    """Derive a key of 32 bytes for the purpose `info` (HKDF-SHA256, RFC 5869)."""
    return HKDF(hashes.SHA256(), 32, _SALT, info).derive(secret.encode())


class KeyRing:
    """Signs with the key of the current secret; verifies with the keys of both secrets.

    `lifetime_s` is the lifetime of an access token in seconds.
    """

    def __init__(
        self, secret: str, previous: str | None, *, lifetime_s: int, clock: Callable[[], float]
    ) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(derive(secret, _INFO))
        publics = [self._private.public_key()]
        if previous:
            publics.append(Ed25519PrivateKey.from_private_bytes(derive(previous, _INFO)).public_key())
        self._publics = {_kid(public): public for public in publics}
        self._kid = next(iter(self._publics))
        self.lifetime_s, self._clock = lifetime_s, clock

    def jwks(self) -> dict[str, Any]:
        """Return the public keys, the current one first (RFC 7517, RFC 8037)."""
        return {
            "keys": [
                {
                    "kty": "OKP",
                    "crv": "Ed25519",
                    "use": "sig",
                    "alg": ALGORITHM,
                    "kid": kid,
                    "x": base64.urlsafe_b64encode(public.public_bytes_raw()).rstrip(b"=").decode(),
                }
                for kid, public in self._publics.items()
            ]
        }

    def issue(self, subject: str, audience: str, **more: Any) -> tuple[str, int]:
        """Return a new access token and its expiry in epoch seconds. `more` are additional claims."""
        now = int(self._clock())
        expires = now + self.lifetime_s
        claims = {
            "iss": ISSUER,
            "aud": audience,
            "sub": subject,
            "jti": secrets.token_hex(16),
            "iat": now,
            "exp": expires,
            **more,
        }
        return jwt.encode(claims, self._private, algorithm=ALGORITHM, headers={"kid": self._kid}), expires

    def verify(self, token: str) -> dict[str, Any] | None:
        """Return the claims of a user's access token, or None if it is not valid."""
        try:
            public = self._publics.get(jwt.get_unverified_header(token).get("kid", ""))
            if public is None:
                return None
            claims: dict[str, Any] = jwt.decode(
                token,
                public,
                algorithms=[ALGORITHM],  # fixed: a token must not choose its own algorithm
                audience=USER_AUDIENCE,
                issuer=ISSUER,
                leeway=30,
                options={"require": ["exp", "iat", "iss", "aud", "sub", "jti"]},
            )
        except (jwt.PyJWTError, ValueError, TypeError):
            return None
        return claims


def _kid(public: Ed25519PublicKey) -> str:
    return hashlib.sha256(public.public_bytes_raw()).hexdigest()[:16]
