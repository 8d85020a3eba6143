"""The few calls that the operator makes, over aiohttp, which kopf brings along.

Not the `kubernetes` package: importing its models costs 48 MiB of the 120 that the process may have.
"""

from __future__ import annotations

import json
import ssl
import tempfile
import time
from base64 import b64decode
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
from kopf import ConnectionInfo

_TIMEOUT = aiohttp.ClientTimeout(total=5, connect=2)
_LIST_TIMEOUT = aiohttp.ClientTimeout(total=30, connect=2)  # of a page
PAGE = 100
_SERVER_TIMEOUT = "4s"
_RELOAD_S = 60.0  # the kubelet rotates a token about every hour and keeps the old one valid for a while
WRITES = frozenset({"PATCH", "POST", "PUT", "DELETE"})


class ApiError(Exception):
    """The API server refused a call, or did not answer (`status` 0)."""

    def __init__(self, status: int, message: str, body: Mapping[str, Any] | None = None) -> None:
        super().__init__(f"{status or 'no answer'}: {message}")
        self.status, self.message, self.body = status, message, body or {}

    @property
    def outage(self) -> bool:
        """Nobody answered, or not now: another call would fare no better."""
        return self.status in (0, 401, 429)

    @property
    def refused(self) -> bool:
        """Whether this call was answered with an error that may last: forbidden, over quota, a webhook down.

        A conflict with a write at the same moment does not last.
        """
        return not self.outage and self.status != 409


class Api:
    """One session to the API server. `login` gives the connection; it is asked again every minute."""

    def __init__(self, login: Callable[[], ConnectionInfo], wrote: Callable[[str], None]) -> None:
        self._login, self._wrote = login, wrote
        self._info = login()
        self._read_at = time.monotonic()
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Api:
        connector = aiohttp.TCPConnector(ssl=_ssl_context(self._info), limit=16)
        self._session = aiohttp.ClientSession(connector=connector)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session:
            await self._session.close()

    async def get(self, path: str, **query: str) -> dict[str, Any]:
        """An object or a list. Raises ApiError."""
        return await self._call("GET", path, query, None, "")

    async def pages(self, path: str, **query: str) -> AsyncIterator[dict[str, Any]]:
        """A list, in pieces that are all of one moment. Raises ApiError."""
        token = ""
        while True:
            asked = {**query, "limit": str(PAGE)} | ({"continue": token} if token else {})
            page = await self._call("GET", path, asked, None, "", _LIST_TIMEOUT)
            yield page
            token = page["metadata"].get("continue", "")
            if not token:
                return

    async def delete(self, path: str) -> dict[str, Any]:
        """Delete an object. Raises ApiError."""
        return await self._call("DELETE", path, {}, None, "")

    async def create(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Create an object in a collection. Raises ApiError."""
        return await self._call("POST", path, {}, body, "application/json")

    async def merge(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """JSON merge patch. Raises ApiError."""
        return await self._call("PATCH", path, {}, body, "application/merge-patch+json")

    async def apply(self, path: str, body: Mapping[str, Any], manager: str, *, force: bool) -> dict[str, Any]:
        """Server-side apply. Raises ApiError; status 409 without `force` names the other managers."""
        query = {"fieldManager": manager, "force": "true" if force else "false"}
        return await self._call("PATCH", path, query, body, "application/apply-patch+yaml")

    async def _call(
        self,
        verb: str,
        path: str,
        query: Mapping[str, str],
        body: Mapping[str, Any] | None,
        kind: str,
        timeout: aiohttp.ClientTimeout = _TIMEOUT,
    ) -> dict[str, Any]:
        if self._session is None:
            raise RuntimeError("use the Api as a context manager")
        headers = {"Authorization": f"Bearer {self._token()}"} if self._info.token else {}
        if kind:
            headers["Content-Type"] = kind
        if verb in WRITES:
            self._wrote(verb)
            # The server gives up before we do, so that a webhook that hangs is an answer and no outage.
            query = {**query, "timeout": _SERVER_TIMEOUT}
        url = self._info.server.rstrip("/") + path
        try:
            async with self._session.request(
                verb, url, params=query, json=body, headers=headers, timeout=timeout
            ) as answer:
                raw = await answer.read()
                if answer.status >= 400:
                    raise _error(answer.status, raw)
                content: dict[str, Any] = json.loads(raw)
                return content
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise ApiError(0, str(error) or type(error).__name__) from error

    def _token(self) -> str:
        if time.monotonic() - self._read_at > _RELOAD_S:
            self._info, self._read_at = self._login(), time.monotonic()
        return self._info.token or ""


def _error(status: int, raw: bytes) -> ApiError:
    """What a Status object says; a proxy between us and the API server answers in words of its own."""
    try:
        content = json.loads(raw)
    except ValueError:
        content = None
    if isinstance(content, dict):
        return ApiError(status, str(content.get("message", "")), content)
    return ApiError(status, raw[:200].decode(errors="replace").strip())


def _ssl_context(info: ConnectionInfo) -> ssl.SSLContext:
    context = ssl.create_default_context(
        cafile=str(info.ca_path) if info.ca_path else None,
        cadata=b64decode(info.ca_data).decode() if info.ca_data else None,
    )
    if info.certificate_path and info.private_key_path:
        context.load_cert_chain(str(info.certificate_path), str(info.private_key_path))
    elif info.certificate_data and info.private_key_data:
        with tempfile.TemporaryDirectory() as folder:
            pair = Path(folder, "pair.pem")
            pair.touch(mode=0o600)
            pair.write_bytes(b64decode(info.certificate_data) + b"\n" + b64decode(info.private_key_data))
            context.load_cert_chain(str(pair))
    return context
