"""Password hashing: Argon2id with OWASP's parameters and a limit on simultaneous hashes."""

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


_M_MMAP_THRESHOLD = -3  # a parameter of glibc's mallopt


def return_freed_memory() -> None:
    """Make glibc return the 19 MiB of each hash to the system when the hash is done.

    By default glibc raises its mmap threshold after the first hash and keeps 19 MiB for each thread that has
    hashed (measured: 194 MB instead of 50). Without glibc this function does nothing.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, 1 << 20)


def owasp_hasher() -> PasswordHasher:
    return PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)


def normalised(password: str) -> str:
    """Return the password in Unicode form NFKC, so that it does not depend on the keyboard."""
    return unicodedata.normalize("NFKC", password)


class Passwords:
    """Hashes and checks passwords, at most `at_once` at a time. Raises Busy at the limit.

    At most `waiting` callers wait up to `wait_s` seconds. Each of them blocks a thread, and the rest of the
    service needs threads too.
    """

    def __init__(self, hasher: PasswordHasher, *, at_once: int, waiting: int, wait_s: float) -> None:
        self._hasher, self._wait_s = hasher, wait_s
        self._slots = threading.BoundedSemaphore(at_once)
        self._callers = threading.BoundedSemaphore(at_once + waiting)
        self._random_hash = hasher.hash(secrets.token_urlsafe(32))

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Hold one of the `at_once` slots: each hash takes 19 MiB. Raises Busy if no slot is available."""
        if not self._callers.acquire(blocking=False):
            raise self._refused()
        try:
            if not self._slots.acquire(timeout=self._wait_s):
                raise self._refused()
            try:
                yield
            finally:
                self._slots.release()
        finally:
            self._callers.release()

    @staticmethod
    def _refused() -> Busy:
        metrics.HASH_REFUSED.inc()
        return Busy("too many logins at the moment; try again")

    def hash(self, password: str) -> str:
        with self.slot():
            return self._hasher.hash(normalised(password))

    def check(self, stored: str | None, password: str) -> bool:
        """Return whether `password` matches the hash `stored`. Raises Busy.

        Without an account (`stored` is None) it checks a random hash, so that both cases take the same time.
        """
        with self.slot():
            try:
                self._hasher.verify(stored or self._random_hash, normalised(password))
            except (VerificationError, InvalidHashError):
                return False
        return stored is not None

    def outdated(self, stored: str) -> bool:
        """Return whether the hash was created with other than the current parameters."""
        return self._hasher.check_needs_rehash(stored)
