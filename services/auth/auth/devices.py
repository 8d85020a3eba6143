"""Which networks are known devices of an account: a login that succeeded came from there lately."""

from __future__ import annotations

import contextlib
import hashlib

import redis
from redis.exceptions import RedisError

DAYS = 30


class Devices:
    """Remembered in Redis under a keyed digest, which gives away neither account nor network.

    OUTAGE POLICY: without Redis nobody is known; strangers still log in within their limit.
    """

    def __init__(self, redis_url: str, salt: bytes) -> None:
        self._salt = salt
        self._redis = redis.Redis.from_url(redis_url, socket_connect_timeout=0.25, socket_timeout=0.5)

    def remember(self, account: str, network: str) -> None:
        """A login to `account` from `network` succeeded."""
        with contextlib.suppress(RedisError):
            self._redis.set(self._key(account, network), 1, ex=DAYS * 86_400)

    def known(self, account: str, network: str) -> bool:
        try:
            return bool(self._redis.exists(self._key(account, network)))
        except RedisError:
            return False

    def _key(self, account: str, network: str) -> str:
        text = f"{account}\n{network}".encode("utf-8", "replace")
        digest = hashlib.blake2b(text, key=self._salt, person=b"known device", digest_size=16)
        return f"limits:auth:known:{digest.hexdigest()}"
