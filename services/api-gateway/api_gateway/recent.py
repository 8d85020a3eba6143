"""Reuse an upstream's answer for a moment, for identical reads."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

from werkzeug.http import parse_etags

from api_gateway.upstream import Answer

MAX_BYTES = 32 << 20  # of all kept answers together


@dataclass(frozen=True)
class Read:
    """An answer to a read. `etag` identifies its bytes; it is empty unless the status is 200."""

    answer: Answer
    etag: str

    def is_known_to(self, if_none_match: str | None) -> bool:
        """Return whether the client has these bytes, by its header If-None-Match."""
        return bool(if_none_match and self.etag) and parse_etags(if_none_match).contains_weak(
            self.etag.strip('"')
        )


@dataclass(frozen=True)
class _Call:
    """A call to an upstream that is running or has succeeded, and its start in monotonic seconds."""

    began: float
    result: Future[Read]


class Recent:
    """Keeps the answers with status 200 for `for_s` seconds from the start of their call.

    Identical reads share a call that began less than `for_s` ago, also while it is running: an answer that
    expires causes one call, not one per client. Other answers and errors are not shared, because they contain
    the id of their request. The caller has checked the permissions: a key must not depend on the account.
    """

    def __init__(
        self, for_s: float, *, max_bytes: int = MAX_BYTES, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._for_s, self._max_bytes, self._clock = for_s, max_bytes, clock
        self._lock = threading.Lock()
        self._calls: dict[str, _Call] = {}  # in the order of their start
        self._bytes = 0

    def read(self, key: str, call: Callable[[], Answer]) -> Read:
        """Return the kept answer of `key`, or the result of `call`. Raises what `call` raises."""
        with self._lock:
            self._forget_old()
            shared = self._calls.get(key)
            own = None
            if shared is None:
                own = self._calls[key] = _Call(self._clock(), Future())
        if own is not None:
            return self._run(key, own, call)
        if shared is not None and shared.result.exception() is None and shared.result.result().etag:
            return shared.result.result()
        return _read(call())

    def kept(self, key: str) -> Read | None:
        """Return the answer of `key` if it is kept, without waiting for a call."""
        with self._lock:
            self._forget_old()
            call = self._calls.get(key)
        if call is None or not call.result.done() or call.result.exception() is not None:
            return None
        return call.result.result()

    def _run(self, key: str, own: _Call, call: Callable[[], Answer]) -> Read:
        try:
            read = _read(call())
        except BaseException as error:
            self._drop(key, own)
            own.result.set_exception(error)
            raise
        with self._lock:
            self._bytes += len(read.answer.body) if self._calls.get(key) is own else 0
            own.result.set_result(read)
        if not read.etag or self._bytes > self._max_bytes:
            self._drop(key, own)
        return read

    def _drop(self, key: str, call: _Call) -> None:
        with self._lock:
            if self._calls.get(key) is call:
                self._remove(key)

    def _forget_old(self) -> None:
        """Remove the calls that began too long ago. They are the first: all are kept for the same time."""
        now = self._clock()
        while self._calls:
            key, oldest = next(iter(self._calls.items()))
            if now - oldest.began < self._for_s:
                return
            self._remove(key)

    def _remove(self, key: str) -> None:
        call = self._calls.pop(key)
        if call.result.done() and call.result.exception() is None:
            self._bytes -= len(call.result.result().answer.body)


def _read(answer: Answer) -> Read:
    digest = hashlib.blake2b(answer.body, digest_size=12).hexdigest() if answer.status == 200 else ""
    return Read(answer, f'"{digest}"' if digest else "")
