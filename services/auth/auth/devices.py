"""Known devices: the networks from which an account has recently logged in."""

from __future__ import annotations

import contextlib
import hashlib

import redis
from redis.exceptions import RedisError

DAYS = 30


class Devices:
    """Known devices in Redis, under a keyed digest that reveals neither account nor network.

    OUTAGE POLICY: without Redis no device is known, so all logins share the limit for unknown addresses.
    """

    def __init__(self, redis_url: str, salt: bytes) -> None:
        self._salt = salt
        self._redis = redis.Redis.from_url(redis_url, socket_connect_timeout=0.25, socket_timeout=0.5)

    def remember(self, account: str, network: str) -> None:
        """Remember `network` as a known device of `account` for `DAYS` days after a successful login."""
        with contextlib.suppress(RedisError):
            self._redis.set(self._key(account, network), 1, ex=DAYS * 86_400)

    def known(self, account: str, network: str) -> bool:
        """Return whether `network` is a known device of `account`."""
        try:
            return bool(self._redis.exists(self._key(account, network)))
        except RedisError:
            return False

    def _key(self, account: str, network: str) -> str:
        text = f"{account}\n{network}".encode("utf-8", "replace")
        digest = hashlib.blake2b(text, key=self._salt, person=b"known device", digest_size=16)
        return f"limits:auth:known:{digest.hexdigest()}"
