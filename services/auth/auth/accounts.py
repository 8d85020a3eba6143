"""Accounts in MongoDB: registration, and the password check of a login."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Container
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError

from auth.chassis.problems import BadInput
from auth.errors import BadCredentials, Busy, EmailTaken
from auth.passwords import MAX_LENGTH, Passwords, normalised


@dataclass(frozen=True)
class User:
    """The public data of an account."""

    id: str
    email: str
    name: str

    def shown(self) -> dict[str, str]:
        return {"id": self.id, "email": self.email, "name": self.name}


class Accounts:
    """The collection `users`. MongoDB's unique index, not a query before the write, keeps emails unique.

    With `first_is_operator` the oldest account has the roles `operator` and `ingest`. They are not stored, so
    they have one owner also if two first accounts register at the same time. The accounts with an id in
    `ingest` have that role too.
    """

    def __init__(
        self,
        users: Collection[dict[str, Any]],
        passwords: Passwords,
        *,
        min_length: int,
        first_is_operator: bool = False,
        ingest: Container[str] = frozenset(),
        now: Callable[[], datetime],
    ) -> None:
        self._users, self._passwords = users, passwords
        self._min_length, self._now = min_length, now
        self._first_is_operator, self._ingest = first_is_operator, ingest

    def register(self, email: str, password: str, name: str) -> User:
        """Create an account. Raises BadInput (password length), EmailTaken or Busy."""
        if not self._min_length <= len(normalised(password)) <= MAX_LENGTH:
            raise BadInput(("password", f"must have {self._min_length} to {MAX_LENGTH} characters"))
        user = User(secrets.token_hex(16), email, name)
        document = {
            "_id": user.id,
            "email": email,
            "name": name,
            "password_hash": self._passwords.hash(password),
            "created_at": self._now(),
        }
        try:
            self._users.insert_one(document)
        except DuplicateKeyError:
            raise EmailTaken("an account with this email exists: log in") from None
        return user

    def log_in(self, email: str, password: str) -> User:
        """Return the account with this email and password. Raises BadCredentials or Busy.

        An unknown email costs the same work as a wrong password, so the response time reveals no account.
        """
        found = self._users.find_one({"email": email})
        stored = found["password_hash"] if found else None
        if not self._passwords.check(stored, password) or found is None:
            raise BadCredentials("email or password is wrong")
        if self._passwords.outdated(found["password_hash"]):
            self._rehash(found, password)
        return _user(found)

    def by_id(self, user_id: str) -> User | None:
        found = self._users.find_one({"_id": user_id}, {"password_hash": 0})
        return _user(found) if found else None

    def roles(self, user_id: str) -> list[str]:
        """Return the roles of an account: `operator`, `ingest`, both or none."""
        first = self._first_is_operator and self._is_oldest(user_id)
        return ["operator"] * first + ["ingest"] * (first or user_id in self._ingest)

    def _is_oldest(self, user_id: str) -> bool:
        oldest = self._users.find_one({}, {"_id": 1}, sort=[("created_at", 1), ("_id", 1)])
        return bool(oldest and oldest["_id"] == user_id)

    def ready(self) -> None:
        """Raise LookupError if the unique index on email is missing: an email could get two accounts."""
        indexes = self._users.index_information().values()
        if not any(index["key"] == [("email", 1)] and index.get("unique") for index in indexes):
            raise LookupError("users has no unique index on email: run storage's migrate")

    def _rehash(self, found: dict[str, Any], password: str) -> None:
        try:
            renewed = self._passwords.hash(password)
        except Busy:
            return  # the login is valid; the next login retries
        # Replace only the hash that was checked: the password may have changed in the meantime.
        self._users.update_one(
            {"_id": found["_id"], "password_hash": found["password_hash"]},
            {"$set": {"password_hash": renewed}},
        )


def _user(found: dict[str, Any]) -> User:
    return User(found["_id"], found["email"], found["name"])
