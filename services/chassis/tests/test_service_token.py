"""Tests for a service's own access tokens: how they are fetched and cached."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import urllib3
from devcluster.ports import free_port

from chassis.service_token import ServiceToken, TokenUnavailable


class Auth:
    """A fake auth service: answers POST /token and records the requests."""

    def __init__(self, port: int) -> None:
        self.url, self.asked, self.status = f"http://127.0.0.1:{port}", list[dict[str, Any]](), 200


@pytest.fixture
def auth() -> Iterator[Auth]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            made.asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            token = {"access_token": f"token-{len(made.asked)}", "expires_in": 600}
            body = json.dumps(token).encode()
            self.send_response(made.status if self.path == "/token" else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made = Auth(server.server_port)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield made
        server.shutdown()


@pytest.fixture
def http() -> Iterator[urllib3.PoolManager]:
    with urllib3.PoolManager() as pool:
        yield pool


def test_a_token_is_reused_for_its_audience_until_a_minute_before_it_expires(
    auth: Auth, http: urllib3.PoolManager
) -> None:
    """A token must not expire while a call is on its way."""
    now = [0.0]
    tokens = ServiceToken(http, auth.url, "analytics", "s", clock=lambda: now[0])
    assert tokens.header("storage") == {"Authorization": "Bearer token-1"}
    assert tokens.header("logging") == {"Authorization": "Bearer token-2"}
    now[0] = 539.0
    assert tokens.header("storage") == {"Authorization": "Bearer token-1"}
    now[0] = 540.0
    assert tokens.header("storage") == {"Authorization": "Bearer token-3"}
    assert auth.asked[0] == {
        "grant_type": "client_credentials",
        "client_id": "analytics",
        "client_secret": "s",
        "audience": "storage",
    }


def test_a_refusal_and_an_outage_differ_and_are_not_cached(auth: Auth, http: urllib3.PoolManager) -> None:
    """A refusal has the HTTP status of auth; an outage has no status. The next call fetches again."""
    tokens = ServiceToken(http, auth.url, "analytics", "s")
    auth.status = 401
    with pytest.raises(TokenUnavailable, match="auth answered 401") as refused:
        tokens.header("storage")
    assert refused.value.status == 401
    auth.status = 200
    assert tokens.header("storage") == {"Authorization": "Bearer token-2"}
    with pytest.raises(TokenUnavailable, match="auth did not answer") as outage:
        ServiceToken(http, f"http://127.0.0.1:{free_port()}", "analytics", "s").header("storage")
    assert outage.value.status is None
