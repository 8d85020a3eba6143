"""Refresh tokens: opaque, stored as hashes, single use, in families that fall together."""

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
    """The collection `refresh_tokens`. A family is everything that descends from one login."""

    def __init__(
        self, tokens: Collection[dict[str, Any]], *, lifetime: timedelta, now: Callable[[], datetime]
    ) -> None:
        self._tokens, self._lifetime, self._now = tokens, lifetime, now

    def begin(self, user_id: str) -> str:
        """The first token of a new family."""
        return self._issue(user_id, secrets.token_hex(16))

    def rotate(self, token: str) -> tuple[str, str]:
        """The user's id and the next token. Raises BadToken; a used token takes its family with it."""
        now, key = self._now(), _hashed(token)
        # One atomic step decides who uses the token: of two callers, one finds it unused.
        found = self._tokens.find_one_and_update(
            {"_id": key, "used_at": None, "revoked": False, "expires_at": {"$gt": now}},
            {"$set": {"used_at": now}},
        )
        if found is None:
            self._punish_reuse(key)
            raise BadToken("the refresh token is not valid: log in again")
        following = self._issue(found["user_id"], found["family"])
        # NB: a reuse may have revoked the family just before the new token was in it.
        if self._tokens.find_one({"_id": key, "revoked": True}, {"_id": 1}):
            self._revoke(found["family"])
        return found["user_id"], following

    def end(self, token: str) -> None:
        """Revoke the token's family; nothing if there is none."""
        if found := self._tokens.find_one({"_id": _hashed(token)}, {"family": 1}):
            self._revoke(found["family"])

    def owner(self, token: str) -> str | None:
        """The id of the user whose token it is or was."""
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

    def _punish_reuse(self, key: str) -> None:
        # Whoever comes second, thief or owner, one of the two holds a stolen token.
        reused = self._tokens.find_one({"_id": key, "used_at": {"$ne": None}}, {"family": 1})
        if reused:
            metrics.REFRESH_REUSED.inc()
            self._revoke(reused["family"])

    def _revoke(self, family: str) -> None:
        self._tokens.update_many({"family": family}, {"$set": {"revoked": True}})
