"""Refresh tokens: opaque, stored as hashes, used once, and revoked together with their family."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from pymongo.collection import Collection

from auth import metrics
from auth.errors import BadToken


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


class Sessions:
    """The collection `refresh_tokens`. A family is all refresh tokens that descend from one login."""

    def __init__(
        self, tokens: Collection[dict[str, Any]], *, lifetime: timedelta, now: Callable[[], datetime]
    ) -> None:
        self._tokens, self._lifetime, self._now = tokens, lifetime, now

    def begin(self, user_id: str) -> str:
        """Start a new family and return its first token."""
        return self._issue(user_id, secrets.token_hex(16))

    def rotate(self, token: str) -> tuple[str, str]:
        """Exchange a token for the next one of its family. Returns the user's id and the new token.

        Raises BadToken if the token is not valid. If it was used before, its whole family is revoked.
        """
        now, key = self._now(), _hashed(token)
        # The update is atomic: of two simultaneous callers, only one finds the token unused.
        found = self._tokens.find_one_and_update(
            {"_id": key, "used_at": None, "revoked": False, "expires_at": {"$gt": now}},
            {"$set": {"used_at": now}},
        )
        if found is None:
            self._revoke_if_reused(key)
            raise BadToken("the refresh token is not valid: log in again")
        next_token = self._issue(found["user_id"], found["family"])
        # NB: a second use may have revoked the family just before the new token was inserted.
        if self._tokens.find_one({"_id": key, "revoked": True}, {"_id": 1}):
            self._revoke(found["family"])
        return found["user_id"], next_token

    def end(self, token: str) -> None:
        """Revoke the token's family. Does nothing for an unknown token."""
        if found := self._tokens.find_one({"_id": _hashed(token)}, {"family": 1}):
            self._revoke(found["family"])

    def owner(self, token: str) -> str | None:
        """Return the id of the token's user, also for a used token, or None if the token is unknown."""
        found = self._tokens.find_one({"_id": _hashed(token)}, {"user_id": 1})
        return found["user_id"] if found else None

    def _issue(self, user_id: str, family: str) -> str:
        token, now = secrets.token_urlsafe(32), self._now()
        self._tokens.insert_one(
            {
                "_id": _hashed(token),
                "family": family,
                "user_id": user_id,
                "created_at": now,
                "expires_at": now + self._lifetime,
                "used_at": None,
                "revoked": False,
            }
        )
        return token

    def _revoke_if_reused(self, key: str) -> None:
        # Two parties hold the token, and one of them stole it.
        reused = self._tokens.find_one({"_id": key, "used_at": {"$ne": None}}, {"family": 1})
        if reused:
            metrics.REFRESH_REUSED.inc()
            self._revoke(reused["family"])

    def _revoke(self, family: str) -> None:
        self._tokens.update_many({"family": family}, {"$set": {"revoked": True}})
