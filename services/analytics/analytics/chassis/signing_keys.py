"""Keep the public keys that verify tokens, and limit how often they are fetched."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

_VALID_S = 300.0  # a key that auth no longer publishes is accepted for at most this long
_RENEW_S = 240.0  # age at which one thread fetches the keys again, while the others still use them
_PAUSE_S = 5.0  # shortest time between two fetches
_RETRY_S = 1.0  # the same after a failure
_WAIT_S = 4.0  # longest wait for keys that another thread fetches


class KeysUnavailable(Exception):
    """The auth service's keys are unavailable, so no token can be verified: an outage, not a refusal."""


class SigningKeys:
    """The keys by `kid`. `fetch` returns them, or raises KeysUnavailable, within seconds.

    The sender of a token chooses its `kid`, so tokens with invented ones must neither load auth nor delay
    other tokens. An unknown `kid` causes at most one fetch every `_PAUSE_S`, one thread makes it, and no
    other thread waits for it while valid keys are there.
    """

    def __init__(
        self, fetch: Callable[[], Mapping[str, Any]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._fetch, self._clock = fetch, clock
        self._fetching = threading.Lock()
        self._failing = False
        self._keys: Mapping[str, Any] = {}
        self._renew_at = self._valid_until = self._next_fetch = float("-inf")

    def find(self, kid: str | None) -> Any | None:
        """Return the key, or None if auth publishes none with this id. Raises KeysUnavailable."""
        if self._due(kid):
            waits = not self._failing and self._clock() >= self._valid_until
            if self._fetching.acquire(timeout=_WAIT_S if waits else 0):
                try:
                    if self._due(kid):  # another thread may have fetched
                        self._renew()
                finally:
                    self._fetching.release()
        if self._clock() >= self._valid_until:
            raise KeysUnavailable
        return self._keys.get(kid) if kid is not None else None

    def _due(self, kid: str | None) -> bool:
        now = self._clock()
        return now >= self._next_fetch and (kid not in self._keys or now >= self._renew_at)

    def _renew(self) -> None:
        """Fetch the keys. After a failure the old ones stay valid for the rest of their time."""
        now = self._clock()
        try:
            self._keys, self._failing = dict(self._fetch()), False
            self._renew_at, self._valid_until = now + _RENEW_S, now + _VALID_S
        except KeysUnavailable:
            self._failing = True
        self._next_fetch = self._clock() + (_RETRY_S if self._failing else _PAUSE_S)
