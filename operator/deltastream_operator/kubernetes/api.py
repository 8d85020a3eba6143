"""Calls to the Kubernetes API, made with the official asynchronous client.

The methods take paths and return plain dictionaries. The client's typed methods would import a model for each
kind and copy every answer into it, and the operator writes back what it reads.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import aiohttp
from kubernetes.aio.client import ApiClient, ApiException, Configuration
from kubernetes.aio.config import ConfigException

_TIMEOUT = aiohttp.ClientTimeout(total=5, connect=2)
_LIST_TIMEOUT = aiohttp.ClientTimeout(total=30, connect=2)  # of a page
PAGE = 100
_SERVER_TIMEOUT = "4s"
WRITES = frozenset({"PATCH", "POST", "PUT", "DELETE"})
# No answer, an answer that is not JSON, or a token or certificate that cannot be read.
_UNANSWERED = (aiohttp.ClientError, ApiException, ConfigException, TimeoutError, OSError, ValueError)
_USER_AGENT = "deltastream-operator"


class ApiError(Exception):
    """The API server rejected a call, or did not answer.

    `status` is the HTTP status, or 0 without an answer. `message` and `body` come from the answer, if it
    is a Status object.
    """

    def __init__(self, status: int, message: str, body: Mapping[str, Any] | None = None) -> None:
        super().__init__(f"{status or 'no answer'}: {message}")
        self.status, self.message, self.body = status, message, body or {}

    @property
    def outage(self) -> bool:
        """True if the API server is unavailable or rejects all calls, so that a retry must wait."""
        return self.status in (0, 401, 429)

    @property
    def refused(self) -> bool:
        """True if the API server rejected this call for a reason that may last.

        Examples are a missing permission, an exceeded quota and an unavailable webhook. A conflict with a
        concurrent write does not last.
        """
        return not self.outage and self.status != 409


class Api:
    """A session with one API server. Use it as an asynchronous context manager.

    `wrote` is called with the verb of each call that writes. No call is retried.
    """

    def __init__(self, configuration: Configuration, wrote: Callable[[str], None]) -> None:
        self._configuration, self._wrote = configuration, wrote
        self._client: ApiClient | None = None

    async def __aenter__(self) -> Api:
        self._client = ApiClient(self._configuration)
        self._client.user_agent = _USER_AGENT
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._client:
            await self._client.close()

    async def get(self, path: str, **query: str) -> dict[str, Any]:
        """Return an object or a list. Raises ApiError."""
        return await self._call("GET", path, query, None, "")

    async def pages(self, path: str, **query: str) -> AsyncIterator[dict[str, Any]]:
        """Yield a list in pages of `PAGE` objects, all from one resource version. Raises ApiError."""
        token = ""
        while True:
            parameters = {**query, "limit": str(PAGE)} | ({"continue": token} if token else {})
            page = await self._call("GET", path, parameters, None, "", _LIST_TIMEOUT)
            yield page
            token = page["metadata"].get("continue", "")
            if not token:
                return

    async def delete(self, path: str) -> dict[str, Any]:
        """Delete an object. Raises ApiError."""
        return await self._call("DELETE", path, {}, None, "")

    async def create(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Create an object in the collection `path`. Raises ApiError."""
        return await self._call("POST", path, {}, body, "application/json")

    async def merge(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Apply a JSON merge patch. Raises ApiError."""
        return await self._call("PATCH", path, {}, body, "application/merge-patch+json")

    async def apply(self, path: str, body: Mapping[str, Any], manager: str, *, force: bool) -> dict[str, Any]:
        """Apply fields on the server side, as the field manager `manager`.

        Raises ApiError. Without `force`, status 409 names the managers that own one of the fields.
        """
        query = {"fieldManager": manager, "force": "true" if force else "false"}
        return await self._call("PATCH", path, query, body, "application/apply-patch+yaml")

    async def _call(
        self,
        verb: str,
        path: str,
        query: Mapping[str, str],
        body: Mapping[str, Any] | None,
        content_type: str,
        timeout: aiohttp.ClientTimeout = _TIMEOUT,
    ) -> dict[str, Any]:
        if self._client is None:
            raise RuntimeError("use the Api as a context manager")
        if verb in WRITES:
            self._wrote(verb)
            # The server's timeout is the shorter one, so a webhook that hangs is an error and not an outage.
            query = {**query, "timeout": _SERVER_TIMEOUT}
        try:
            request = await self._client.param_serialize(
                verb,
                path,
                query_params=list(query.items()),
                header_params={"Content-Type": content_type} if content_type else {},
                body=body,
                auth_settings=["BearerToken"],
            )
            answer = await self._client.call_api(*request, _request_timeout=timeout)
            raw = await answer.read()
            if answer.status >= 400:
                raise _error(answer.status, raw)
            content: dict[str, Any] = json.loads(raw)
            return content
        except _UNANSWERED as error:
            raise ApiError(0, str(error) or type(error).__name__) from error


def _error(status: int, raw: bytes) -> ApiError:
    """Read an answer's Status object. A proxy before the API server may answer with other text."""
    try:
        content = json.loads(raw)
    except ValueError:
        content = None
    if isinstance(content, dict):
        return ApiError(status, str(content.get("message", "")), content)
    return ApiError(status, raw[:200].decode(errors="replace").strip())
