"""Passwords: Argon2id with OWASP's parameters, bounded in memory, equal for known and unknown accounts."""

from __future__ import annotations

import ctypes
import secrets
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from auth import metrics
from auth.errors import Busy

MAX_LENGTH = 128
MEMORY_KIB, PASSES, LANES = 19_456, 2, 1  # OWASP's Password Storage Cheat Sheet, Argon2id


_M_MMAP_THRESHOLD = -3  # of glibc's mallopt


def give_memory_back() -> None:
    """Make every hash's 19 MiB a mapping of its own, which ends with the hash.

    glibc else raises its threshold at the first one and keeps 19 MiB for each thread that ever hashed
    (seen: 194 MB instead of 50). Elsewhere than on glibc nothing is done.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, 1 << 20)


def owasp_hasher() -> PasswordHasher:
    return PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)


def normalised(password: str) -> str:
    """NFKC: the same password typed on another keyboard stays the same."""
    return unicodedata.normalize("NFKC", password)


class Passwords:
    """Hashes and checks, at most `at_once` at a time. Raises Busy.

    At most `waiting` callers wait `wait_s` for a place: each holds a thread, and the rest of the service
    needs some.
    """

    def __init__(self, hasher: PasswordHasher, *, at_once: int, waiting: int, wait_s: float) -> None:
        self._hasher, self._wait_s = hasher, wait_s
        self._places = threading.BoundedSemaphore(at_once)
        self._callers = threading.BoundedSemaphore(at_once + waiting)
        self._nobodys = hasher.hash(secrets.token_urlsafe(32))

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place to hash in: each hash takes 19 MiB, so that logins at once must not be without bound."""
        if not self._callers.acquire(blocking=False):
            raise self._refused()
        try:
            if not self._places.acquire(timeout=self._wait_s):
                raise self._refused()
            try:
                yield
            finally:
                self._places.release()
        finally:
            self._callers.release()

    @staticmethod
    def _refused() -> Busy:
        metrics.HASH_REFUSED.inc()
        return Busy("too many logins at this moment; try again")

    def hash(self, password: str) -> str:
        with self.place():
            return self._hasher.hash(normalised(password))

    def check(self, stored: str | None, password: str) -> bool:
        """Whether it is the password. Without an account (None) the same work is done for nobody's hash."""
        with self.place():
            try:
                self._hasher.verify(stored or self._nobodys, normalised(password))
            except (VerificationError, InvalidHashError):
                return False
        return stored is not None

    def outdated(self, stored: str) -> bool:
        """Whether the hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(stored)
