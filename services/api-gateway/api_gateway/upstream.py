"""HTTP calls to upstream services: pooled, limited in time and size, with a circuit breaker each."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import structlog
import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
)

from api_gateway import metrics
from api_gateway.errors import UpstreamInvalid, UpstreamTimeout, UpstreamUnavailable

PASSED_BACK = ("Content-Type", "Content-Encoding", "Cache-Control", "Retry-After")
_JSON = ("application/json", "application/problem+json")


def pool(threads: int) -> urllib3.PoolManager:
    """Return a pool of keep-alive connections, at most `threads` per upstream."""
    return urllib3.PoolManager(num_pools=8, maxsize=threads, block=True)


@dataclass(frozen=True)
class Answer:
    """An upstream's response. The gateway returns the body unchanged."""

    status: int
    headers: dict[str, str]
    body: bytes


class Breaker:
    """Circuit breaker: opens for `open_s` seconds after `after` consecutive failures, then allows one call.

    Without it, an upstream that hangs would block every thread of the gateway until its timeout.
    """

    def __init__(
        self,
        upstream: str,
        *,
        after: int = 5,
        open_s: float = 3.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._after, self._open_s, self._clock = after, open_s, clock
        self._failures, self._retry_at = 0, 0.0
        self._lock = threading.Lock()
        self._gauge = metrics.UPSTREAM_OPEN.labels(upstream)
        self._gauge.set(0)

    def allows(self) -> bool:
        """Return whether a call may be sent now."""
        with self._lock:
            if self._failures < self._after:
                return True
            if self._clock() < self._retry_at:
                return False
            self._retry_at = self._clock() + self._open_s  # only this caller may try
            return True

    def succeeded(self) -> None:
        with self._lock:
            self._failures = 0
        self._gauge.set(0)

    def failed(self) -> None:
        with self._lock:
            self._failures += 1
            if self._failures >= self._after:
                self._retry_at = self._clock() + self._open_s
                self._gauge.set(1)


class Upstream:
    """One service behind the gateway."""

    def __init__(
        self,
        name: str,
        url: str,
        http: urllib3.PoolManager,
        *,
        max_bytes: int,
        connect_s: float = 1.0,
        read_s: float = 10.0,
        breaker: Breaker | None = None,
    ) -> None:
        self.name, self._url, self._http, self._max_bytes = name, url, http, max_bytes
        self._timeout, self._read_s = urllib3.Timeout(connect=connect_s, read=read_s), read_s
        self._breaker = breaker or Breaker(name)

    def call(
        self, method: str, path: str, *, headers: Mapping[str, str], body: bytes | None = None
    ) -> Answer:
        """Send a request and return the response. `path` is URL-encoded. Raises an UpstreamError."""
        if not self._breaker.allows():
            metrics.UPSTREAM_ERRORS.labels(self.name, "open").inc()
            raise UpstreamUnavailable(self.name, f"{self.name} is down; try again in a few seconds")
        started = time.monotonic()
        with self._outcome_recorded():
            response = self._send(method, self._url + path, headers, body)
            try:
                content = self._read(response, started + self._read_s)
            except BaseException:
                response.close()  # a half-read connection cannot be reused
                raise
            finally:
                response.release_conn()  # NB: also after close(), or the pool loses a slot
        metrics.UPSTREAM_SECONDS.labels(self.name).observe(time.monotonic() - started)
        return self._accepted(response, content)

    def _send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None
    ) -> urllib3.BaseHTTPResponse:
        def once() -> urllib3.BaseHTTPResponse:
            return self._http.request(
                method,
                url,
                body=body,
                headers=dict(headers),
                timeout=self._timeout,
                retries=False,
                redirect=False,
                preload_content=False,
                pool_timeout=1.0,  # seconds
            )

        try:
            return once()
        except (NewConnectionError, ProtocolError):
            # The upstream may have closed an idle keep-alive connection. Only a GET is safe to repeat.
            if method != "GET":
                raise
            return once()

    def _read(self, response: urllib3.BaseHTTPResponse, deadline: float) -> bytes:
        chunks: list[bytes] = []
        size = 0
        for chunk in response.stream(1 << 16, decode_content=False):
            chunks.append(chunk)
            size += len(chunk)
            if size > self._max_bytes:
                raise UpstreamInvalid(self.name, f"{self.name} answered more than {self._max_bytes} bytes")
            if time.monotonic() > deadline:  # the socket's timeout limits each chunk, not the whole
                raise UpstreamTimeout(self.name, f"{self.name} did not finish its response in time")
        return b"".join(chunks)

    @contextmanager
    def _outcome_recorded(self) -> Iterator[None]:
        """Translate failures into UpstreamErrors and record each outcome in the breaker and the metrics."""
        try:
            yield
        except UpstreamInvalid:
            self._breaker.succeeded()  # it answered, so it is up
            self._failed("invalid")
            raise
        except UpstreamTimeout:
            self._breaker.failed()
            self._failed("timeout")
            raise
        except (ConnectTimeoutError, NewConnectionError, ProtocolError) as error:
            self._breaker.failed()
            self._failed("unavailable", error)
            raise UpstreamUnavailable(self.name, f"{self.name} cannot be reached") from error
        except ReadTimeoutError as error:
            self._breaker.failed()
            self._failed("timeout", error)
            raise UpstreamTimeout(self.name, f"{self.name} did not answer in time") from error
        except HTTPError as error:
            self._breaker.failed()
            self._failed("unavailable", error)
            raise UpstreamUnavailable(self.name, f"the call to {self.name} failed") from error
        else:
            self._breaker.succeeded()

    def _failed(self, reason: str, error: Exception | None = None) -> None:
        metrics.UPSTREAM_ERRORS.labels(self.name, reason).inc()
        cause = type(error).__name__ if error else None
        structlog.get_logger("upstream").warning(
            "upstream_failed", upstream=self.name, reason=reason, error=cause
        )

    def _accepted(self, response: urllib3.BaseHTTPResponse, content: bytes) -> Answer:
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        complaint = None
        if kind not in _JSON and content:
            complaint = "answered with a type other than JSON"
        elif response.status < 200 or 300 <= response.status < 400:
            complaint = f"answered with status {response.status}"
        elif response.status >= 500 and kind != "application/problem+json":
            complaint = "failed"
        if complaint:
            self._failed("invalid")
            raise UpstreamInvalid(self.name, f"{self.name} {complaint}")
        headers = {name: response.headers[name] for name in PASSED_BACK if name in response.headers}
        return Answer(response.status, headers, content)
