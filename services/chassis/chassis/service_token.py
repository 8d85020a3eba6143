"""Get access tokens for this service, to call other services (OAuth 2 client credentials)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import urllib3


class TokenUnavailable(Exception):
    """The auth service issued no token. `status` is its HTTP status, or None if it did not answer."""

    def __init__(self, status: int | None) -> None:
        super().__init__(f"auth answered {status}" if status else "auth did not answer")
        self.status = status


class ServiceToken:
    """Fetches one token per audience from `{auth_url}/token`, and reuses it until a minute before it expires.

    Safe to share between threads.
    """

    def __init__(
        self,
        http: urllib3.PoolManager,
        auth_url: str,
        client_id: str,
        client_secret: str,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http, self._url, self._clock = http, f"{auth_url}/token", clock
        self._fields = {
            "grant_type": "client_credentials",
            "client_id": client_id,
            "client_secret": client_secret,
        }
        self._kept: dict[str, tuple[str, float]] = {}
        self._lock = threading.Lock()

    def header(self, audience: str) -> dict[str, str]:
        """Return the `Authorization` header for a call to `audience`.

        Raises TokenUnavailable if a new token is needed and the auth service issues none.
        """
        with self._lock:
            token, until = self._kept.get(audience, ("", 0.0))
            if self._clock() >= until:
                token, until = self._fetch(audience)
                self._kept[audience] = (token, until)
        return {"Authorization": f"Bearer {token}"}

    def _fetch(self, audience: str) -> tuple[str, float]:
        try:
            answer = self._http.request(
                "POST", self._url, json={**self._fields, "audience": audience}, timeout=3.0, retries=False
            )
        except urllib3.exceptions.HTTPError as error:
            raise TokenUnavailable(None) from error
        if answer.status != 200:
            raise TokenUnavailable(answer.status)
        body = answer.json()
        return str(body["access_token"]), self._clock() + float(body["expires_in"]) - 60
