"""Sign the caller's address for auth, so that auth can trust it."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable


class Forwarded:
    """Signs the caller's address with the gateway's client secret.

    auth ignores an X-Forwarded-For header without such a proof. auth's forwarded.py verifies it.
    """

    def __init__(self, client_id: str, client_secret: str, *, clock: Callable[[], float]) -> None:
        self._client_id, self._clock = client_id, clock
        self._key = hashlib.sha256(client_secret.encode()).digest()

    def headers(self, path: str, address: str) -> dict[str, str]:
        """Return the headers of a call to `path` on behalf of the caller at `address`."""
        at = str(int(self._clock()))
        message = "\n".join(("forwarded v1", at, path, address)).encode()
        proof = hmac.new(self._key, message, hashlib.sha256).hexdigest()
        return {"X-Forwarded-For": address, "X-Forwarded-Proof": f"{self._client_id} {at} {proof}"}
