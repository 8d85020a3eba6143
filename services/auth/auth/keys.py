"""The signing keys: derived from secrets, published as JWKS, used for access tokens."""

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
PEOPLE = "deltastream-api"
ALGORITHM = "EdDSA"
_SALT = b"deltastream-auth"
_INFO = b"deltastream access token signing key, ed25519, v1"  # changing it changes every key


def derive(secret: str, info: bytes) -> bytes:
    """32 bytes for one purpose (HKDF-SHA256, RFC 5869)."""
    return HKDF(hashes.SHA256(), 32, _SALT, info).derive(secret.encode())


class KeyRing:
    """Signs with the current secret's key; verifies with it and the previous one's."""

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
        """The public keys, current first (RFC 7517, RFC 8037)."""
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

    def issue(self, subject: str, audience: str, **more: str) -> tuple[str, int]:
        """A fresh access token and its expiry (epoch seconds)."""
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
        """The claims of a person's token that holds, else None."""
        try:
            public = self._publics.get(jwt.get_unverified_header(token).get("kid", ""))
            if public is None:
                return None
            claims: dict[str, Any] = jwt.decode(
                token,
                public,
                algorithms=[ALGORITHM],  # fixed here: the token's own header never chooses
                audience=PEOPLE,
                issuer=ISSUER,
                leeway=30,
                options={"require": ["exp", "iat", "iss", "aud", "sub", "jti"]},
            )
        except (jwt.PyJWTError, ValueError, TypeError):
            return None
        return claims


def _kid(public: Ed25519PublicKey) -> str:
    return hashlib.sha256(public.public_bytes_raw()).hexdigest()[:16]
