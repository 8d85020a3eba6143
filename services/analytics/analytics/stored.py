"""HTTP client of storage, for history and for data that the cache lacks."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

import orjson
import structlog
import urllib3
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random
from urllib3 import exceptions

from analytics import metrics
from analytics.chassis.service_token import ServiceToken, TokenUnavailable
from analytics.domain.values import Json, rfc3339_ns

AUDIENCE = "storage"
TOKEN_WAIT_S = 3.0
_TIMEOUT = urllib3.Timeout(connect=0.5, read=4.0)  # longer than storage's own query timeout of 3 s


class StorageFailed(Exception):
    """Storage gave no usable response. `reason` is unavailable, timeout, refused, invalid or no_token."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def pool(connections: int) -> urllib3.PoolManager:
    """Return a pool of kept-alive connections, at most `connections` per host, opened on first use."""
    return urllib3.PoolManager(num_pools=4, maxsize=connections, block=True)


class Storage:
    """Calls storage's routes.

    Every method raises StorageFailed within seconds if storage gives no usable response.
    """

    def __init__(
        self,
        http: urllib3.PoolManager,
        url: str,
        tokens: ServiceToken,
        *,
        trace: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        """`trace` returns the headers that link calls of storage to the current request."""
        self._http, self._url, self._tokens, self._trace = http, url, tokens, trace
        self._fetching = threading.Lock()

    def ping(self) -> None:
        """Return if storage is ready. Raises StorageFailed or, if it cannot connect, urllib3's HTTPError."""
        timeout = urllib3.Timeout(connect=0.3, read=0.5)
        answer = self._http.request("GET", f"{self._url}/readyz", timeout=timeout, retries=False)
        if answer.status != 200:
            raise StorageFailed("unavailable")

    def ratios(
        self,
        product: str,
        *,
        expiry: str | None = None,
        start: int | None = None,
        end: int | None = None,
        limit: int,
    ) -> list[Json]:
        """Return stored ratios, newest first; `start` and `end` are in nanoseconds, inclusive."""
        query: dict[str, Any] = {"limit": limit}
        if expiry is not None:
            query["expiry"] = expiry
        for name, ns in (("start", start), ("end", end)):
            if ns is not None:
                query[name] = rfc3339_ns(ns)
        return self._list("/pcr/{}", product, "history", query)

    def chain(self, product: str, expiry: str) -> Json | None:
        """Return the newest chain of an expiry, with one list per column, or None."""
        query = {"expiry": expiry, "limit": 1, "shape": "columns"}
        found = self._list("/option/chain/{}", product, "chains", query)
        return found[0] if found else None

    def bars(self, product: str, minutes: int, limit: int) -> list[Json]:
        """Return the newest bars of `minutes` each, newest first."""
        return self._list("/ohlc/{}", product, "bars", {"window": minutes, "limit": limit})

    def expiries(self, product: str) -> list[str]:
        """Return the expiries with stored chains, ascending."""
        found = self._get("/expiries/{}", product, {}).get("expiries")
        if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
            raise self._failed("invalid")
        return found

    def _list(self, template: str, product: str, member: str, query: Mapping[str, Any]) -> list[Json]:
        found = self._get(template, product, query).get(member)
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise self._failed("invalid")
        return found

    def _get(self, template: str, product: str, query: Mapping[str, Any]) -> Json:
        url = self._url + template.format(quote(product, safe=""))
        if query:
            url += f"?{urlencode(query)}"
        headers = {"Accept": "application/json", **self._token(), **self._trace()}
        with metrics.STORAGE_SECONDS.time():
            answer = self._send(url, headers)
        if answer.status != 200:
            raise self._failed("unavailable" if answer.status >= 500 else "refused", status=answer.status)
        try:
            body = orjson.loads(answer.data)
        except orjson.JSONDecodeError as error:
            raise self._failed("invalid") from error
        if not isinstance(body, dict):
            raise self._failed("invalid")
        return body

    def _send(self, url: str, headers: Mapping[str, str]) -> urllib3.BaseHTTPResponse:
        # Retry once if storage has closed a kept-alive connection. Do not retry a timeout: the query would
        # run twice on a database that is already slow.
        again = Retrying(
            retry=retry_if_exception_type((exceptions.NewConnectionError, exceptions.ProtocolError)),
            stop=stop_after_attempt(2),
            wait=wait_random(0, 0.05),  # seconds
            reraise=True,
        )
        try:
            return again(
                self._http.request,
                "GET",
                url,
                headers=headers,
                timeout=_TIMEOUT,
                retries=False,
                redirect=False,
                pool_timeout=1.0,
            )
        except exceptions.ReadTimeoutError as error:
            raise self._failed("timeout") from error
        except exceptions.HTTPError as error:
            raise self._failed("unavailable") from error

    def _token(self) -> dict[str, str]:
        # ServiceToken serves one thread at a time. While auth hangs, the other threads must not queue for
        # minutes.
        if not self._fetching.acquire(timeout=TOKEN_WAIT_S):
            raise self._failed("no_token")
        try:
            return self._tokens.header(AUDIENCE)
        except TokenUnavailable as error:
            raise self._failed("no_token", status=error.status) from error
        finally:
            self._fetching.release()

    def _failed(self, reason: str, *, status: int | None = None) -> StorageFailed:
        metrics.STORAGE_ERRORS.labels(reason).inc()
        structlog.get_logger("stored").warning("storage_failed", reason=reason, status=status)
        return StorageFailed(reason)
