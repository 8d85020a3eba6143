"""Forward a request to the upstream of its route and return the upstream's response."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import orjson
from flask import Response, current_app, request

from api_gateway.chassis.service_token import ServiceToken, TokenUnavailable
from api_gateway.errors import UpstreamInvalid, UpstreamUnavailable
from api_gateway.forwarded import Forwarded
from api_gateway.models import Query
from api_gateway.recent import Read, Recent
from api_gateway.repeats import READ
from api_gateway.upstream import Answer, Upstream

EXTENSION = "deltastream.proxy"
TOKEN_WAIT_S = 3.0


@dataclass
class Proxy:
    """The upstreams, and the gateway's own tokens for them."""

    auth: Upstream
    storage: Upstream
    analytics: Upstream
    tokens: ServiceToken
    forwarded: Forwarded
    recent: Recent
    _fetching: threading.Lock = field(default_factory=threading.Lock)

    def read(self, upstream: Upstream, template: str, value: str, query: Query) -> Response:
        """Send GET to `upstream` with the gateway's own token and return the response.

        The path is `template` with the URL-encoded `value` in it. The user's token is not forwarded, so an
        upstream that leaks its requests leaks no account, and identical reads can share an answer. Raises an
        UpstreamError.
        """
        path = template.format(quote(value, safe=""))
        if given := query.given():
            path += f"?{urlencode(given)}"

        def call() -> Answer:
            answer = upstream.call("GET", path, headers=self._token(upstream.name) | _trace())
            if answer.status in (401, 403):  # the gateway's token: not the caller's fault, hence 502
                raise UpstreamInvalid(upstream.name, f"{upstream.name} refused the gateway's own token")
            return answer

        key = upstream.name + path
        if request.url_rule is not None:
            request.environ[READ] = key, request.url_rule.rule
        return _conditional(self.recent.read(key, call))

    def account(self, path: str, body: Mapping[str, Any] | None = None) -> Response:
        """Send POST to auth with the user's token and return the response. Raises an UpstreamError.

        auth is the only service that receives the user's token.
        """
        headers = _trace() | self.forwarded.headers(path, request.remote_addr or "")
        if authorization := request.headers.get("Authorization"):
            headers["Authorization"] = authorization
        if body is not None:
            headers["Content-Type"] = "application/json"
        content = orjson.dumps(body) if body is not None else b""
        return _response(self.auth.call("POST", path, headers=headers, body=content))

    def _token(self, audience: str) -> dict[str, str]:
        # ServiceToken serves one thread at a time; while auth hangs, other threads must not queue for minutes
        if not self._fetching.acquire(timeout=TOKEN_WAIT_S):
            raise UpstreamUnavailable("auth", "auth did not give the gateway a token in time")
        try:
            return self.tokens.header(audience)
        except TokenUnavailable as error:
            raise UpstreamUnavailable("auth", "auth did not give the gateway a token") from error
        finally:
            self._fetching.release()


def proxy() -> Proxy:
    """Return the proxy of the current Flask app."""
    found: Proxy = current_app.extensions[EXTENSION]
    return found


def _trace() -> dict[str, str]:
    return {
        "X-Request-ID": request.environ.get("deltastream.request_id", ""),
        "traceparent": request.environ.get("deltastream.traceparent", ""),
        "Accept": "application/json",
    }


def _response(answer: Answer) -> Response:
    return Response(answer.body, answer.status, headers=answer.headers)


def _conditional(read: Read) -> Response:
    """Return the response to a read: 304 without a body if the client already has these bytes."""
    response = _response(read.answer)
    if read.etag:
        response.headers["ETag"] = read.etag
        if read.is_known_to(request.headers.get("If-None-Match")):
            response.status_code = 304
            response.set_data(b"")
            del response.headers["Content-Type"]
    return response
