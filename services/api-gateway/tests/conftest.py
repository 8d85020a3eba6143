"""Fixtures: the gateway's app with a real Redis and small HTTP servers as upstreams."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis
from tests.support.contracts import example
from tests.support.tokens import USER, access_token, jwks, subject_of
from werkzeug.test import Client

from api_gateway.bootstrap import create_app
from api_gateway.config import Settings

SECRET = "gateway-secret-of-tests"
ROW = {"strike": 23450.0, "open_interest": 2100000, "iv": 0.106}


@dataclass
class Seen:
    """A request that a stub upstream received."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


Answer = tuple[int, dict[str, str], bytes]


def answer(status: int, body: Any, kind: str = "application/json", **headers: str) -> Answer:
    return status, {"Content-Type": kind, **headers}, json.dumps(body).encode()


@dataclass
class Stub:
    """A stub upstream on its own port.

    `answers` maps a path to its response. If `audience` is set, the stub requires the gateway's token for it.
    """

    audience: str | None
    answers: dict[str, Answer | Callable[[BaseHTTPRequestHandler], None]]
    ready: int = 200
    seen: list[Seen] = field(default_factory=list)

    def __post_init__(self) -> None:
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                path = urlsplit(self.path).path
                if path == "/readyz":
                    return self.reply(answer(stub.ready, {}))
                if path not in ("/token", "/.well-known/jwks.json"):
                    stub.seen.append(Seen(self.command, self.path, dict(self.headers.items()), body))
                shown = self.headers.get("Authorization", "")
                if stub.audience and subject_of(shown, stub.audience) != "service:api-gateway":
                    return self.reply(answer(401, {}, "application/problem+json"))
                given = stub.answers.get(path) or answer(404, problem(404, "not_found"), PROBLEM)
                if path == "/token":
                    given = grant(json.loads(body))
                return given(self) if callable(given) else self.reply(given)

            do_GET = do_POST = handle_any  # noqa: N815

            def reply(self, given: Answer) -> None:
                status, headers, body = given
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *args: object) -> None:
                """Ignore a closed connection: some tests make the gateway close it."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


PROBLEM = "application/problem+json"


def problem(status: int, code: str) -> dict[str, Any]:
    return {
        "type": "about:blank",
        "title": "x",
        "status": status,
        "detail": "by the upstream",
        "code": code,
        "request_id": "r",
    }


def grant(form: dict[str, str]) -> Answer:
    """The response of auth's /token: a token for one audience if the client credentials are right."""
    if (form["client_id"], form["client_secret"]) != ("api-gateway", SECRET):
        return answer(401, problem(401, "unauthorized"), PROBLEM)
    made = access_token(form["audience"])
    return answer(200, {"access_token": made, "token_type": "Bearer", "expires_in": 600})


def _auth_answers() -> dict[str, Any]:
    user = {"id": USER, "email": "test@example.com", "name": "Test User"}
    session = {
        "message": "ok",
        "token": access_token("deltastream-api"),
        "refresh_token": "r1",
        "user": user,
    }
    return {
        "/.well-known/jwks.json": answer(200, jwks()),
        "/register": answer(201, session),
        "/login": answer(200, session),
        "/verify": answer(200, {"valid": True, "user_id": USER, "email": "test@example.com"}),
        "/refresh": answer(200, {"token": access_token("deltastream-api"), "refresh_token": "r2"}),
        "/logout": answer(200, {"message": "ok"}),
    }


def _stored(name: str) -> dict[str, Any]:
    return {key: value for key, value in example(f"document-{name}").items() if key != "_id"}


def _storage_answers() -> dict[str, Any]:
    chain = {**_stored("option_chains"), "calls": [ROW], "puts": [ROW]}
    symbol = "NIFTY20240627C23500"
    return {
        "/products": answer(200, {"products": ["NIFTY"]}),
        "/underlying/NIFTY": answer(
            200, {"product": "NIFTY", "count": 1, "ticks": [_stored("underlying_ticks")]}
        ),
        "/underlying/M%26M": answer(200, {"product": "M&M", "count": 0, "ticks": []}),
        "/option/chain/NIFTY": answer(200, {"product": "NIFTY", "count": 1, "chains": [chain]}),
        "/contracts/NIFTY": answer(200, {"product": "NIFTY", "contracts": ["NIFTY20240627C23500"]}),
        "/expiries/NIFTY": answer(200, {"product": "NIFTY", "expiries": ["2024-06-27"]}),
        "/ohlc/NIFTY": answer(200, {"product": "NIFTY", "window_minutes": 5, "bars": []}),
        f"/option/quote/{symbol}": answer(
            200, {"symbol": symbol, "count": 1, "quotes": [_stored("option_quotes")]}
        ),
    }


def _analytics_answers() -> dict[str, Any]:
    base = {"product": "NIFTY", "expiry": "2024-06-27", "spot_price": 23501.1}
    zones = {"itm": 1, "atm": 2, "otm": 3}
    return {
        "/pcr/NIFTY": answer(200, {"product": "NIFTY", "latest": [example("cache-latest-pcr")]}),
        "/volatility-surface/NIFTY": answer(200, example("cache-volatility_surface")),
        "/max-pain/NIFTY": answer(
            200, {**base, "max_pain_strike": 23450.0, "distance_from_spot": -51.1, "distance_pct": -0.22}
        ),
        "/oi-buildup/NIFTY": answer(200, {**base, "call_buildup": zones, "put_buildup": zones}),
        "/ohlc/NIFTY": answer(200, {"product": "NIFTY", "window": "5m", "bars": []}),
    }


@dataclass
class Gateway:
    """The stub upstreams, and gateway apps in front of them."""

    auth: Stub
    storage: Stub
    analytics: Stub
    redis_url: str

    def app(self, **settings: Any) -> Any:
        """Return the gateway's app. `settings` override those of config.py."""
        defaults: dict[str, Any] = {
            "redis_url": self.redis_url,
            "auth_url": self.auth.url,
            "storage_url": self.storage.url,
            "analytics_url": self.analytics.url,
            "service_client_secret": SECRET,
        }
        return create_app(Settings(**{**defaults, **settings}))

    def client(self, **settings: Any) -> Client:
        app = self.app(**settings)

        def with_address(environ: dict[str, Any], start_response: Any) -> Any:
            environ.setdefault("REMOTE_ADDR", "127.0.0.1")  # as a real server does
            return app(environ, start_response)

        return Client(with_address)


@pytest.fixture
def gateway(redis_url: str) -> Iterator[Gateway]:
    made = Gateway(
        Stub(None, _auth_answers()),
        Stub("storage", _storage_answers()),
        Stub("analytics", _analytics_answers()),
        redis_url,
    )
    yield made
    for stub in (made.auth, made.storage, made.analytics):
        stub.stop()


@pytest.fixture
def client(gateway: Gateway) -> Client:
    return gateway.client()


@pytest.fixture
def store(redis_url: str) -> Iterator[Any]:
    """The Redis of the gateway, with the table of a local run whose only feed is `nifty`."""
    with redis.Redis.from_url(redis_url, decode_responses=True) as made:
        made.set("feeds:table", json.dumps(example("feeds-table")))
        yield made


@pytest.fixture
def user() -> dict[str, str]:
    """Request headers of a logged-in user."""
    return {"Authorization": f"Bearer {access_token('deltastream-api')}"}


@pytest.fixture
def make_answer() -> Callable[..., Answer]:
    return answer


@pytest.fixture
def make_problem() -> Callable[..., dict[str, Any]]:
    return problem
