"""Fixtures: the real app on a real Redis, with small HTTP servers in place of auth and storage.

The storage server is a stub. It returns the contracts' golden documents in the form of storage's responses,
and accepts only tokens with storage's audience. tests/integration tests analytics against the real storage.
"""

from __future__ import annotations

import json
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
import redis
from tests.support.contracts import example, validator
from tests.support.tokens import access_token, jwks, subject_of
from werkzeug.test import Client, TestResponse

from analytics.bootstrap import create_app
from analytics.config import Settings

SECRET = "analytics-secret-of-this-test"
Json = dict[str, Any]


class Server(ABC):
    """An HTTP server with JSON responses on a free port. It runs until `stop()`."""

    def __init__(self) -> None:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                self._reply(*outer.get(self.path, dict(self.headers.items())))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self._reply(*outer.post(self.path, json.loads(body)))

            def _reply(self, status: int, answer: Any) -> None:
                body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    @abstractmethod
    def get(self, path: str, headers: dict[str, str]) -> tuple[int, Any]:
        """Return the status and the JSON of the response to a GET."""

    def post(self, path: str, body: Json) -> tuple[int, Any]:
        """Return the status and the JSON of the response to a POST. By default POST is refused."""
        return 405, {}

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Auth(Server):
    """Publishes the test key and issues tokens for storage to analytics."""

    def get(self, path: str, headers: dict[str, str]) -> tuple[int, Any]:
        return 200, jwks()

    def post(self, path: str, body: Json) -> tuple[int, Any]:
        if (path, body["client_id"], body["client_secret"]) != ("/token", "analytics", SECRET):
            return 401, {}
        return 200, {"access_token": access_token(body["audience"], "service:analytics"), "expires_in": 600}


@dataclass
class Seen:
    """A request that the storage stub received."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]


@dataclass
class Storage(Server):
    """A stub of storage that serves documents in their contracts' form. `fail` replaces every response."""

    chains: list[Json] = field(default_factory=list)
    bars: list[Json] = field(default_factory=list)
    fail: tuple[int, Any] | None = None
    seen: list[Seen] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def get(self, path: str, headers: dict[str, str]) -> tuple[int, Any]:
        parts = urlsplit(path)
        if parts.path == "/readyz":
            return (503 if self.fail else 200), {}
        query = dict(parse_qsl(parts.query))
        self.seen.append(Seen(parts.path, query, headers))
        if subject_of(headers.get("Authorization", ""), "storage") != "service:analytics":
            return 401, {}
        if self.fail:
            return self.fail
        route, _, product = parts.path.rpartition("/")
        return self._answer(route, unquote(product), query)

    def _answer(self, route: str, product: str, query: dict[str, str]) -> tuple[int, Any]:
        limit = int(query.get("limit", 1000))
        chains = sorted((one for one in self.chains if one["product"] == product), key=lambda one: -one["ts"])
        if expiry := query.get("expiry"):
            chains = [one for one in chains if one["expiry"] == expiry]
        if route == "/expiries":
            return 200, {"product": product, "expiries": sorted({one["expiry"] for one in chains})}
        if route == "/pcr":
            names = ("expiry", "pcr_oi", "pcr_volume", "timestamp", "ts")
            found = [{name: one[name] for name in names if name in one} for one in chains[:limit]]
            return 200, {"product": product, "count": len(found), "history": found}
        if route == "/option/chain":
            if query.get("shape") != "columns":
                return 400, {}
            found = [{name: one[name] for name in one if name != "_id"} for one in chains[:limit]]
            return 200, {"product": product, "count": len(found), "chains": found, "truncated": False}
        if route == "/ohlc":
            window = int(query["window"])
            found = [one for one in self.bars if (one["product"], one["window_minutes"]) == (product, window)]
            found = sorted(found, key=lambda one: one["start"], reverse=True)[:limit]
            return 200, {"product": product, "window_minutes": window, "bars": found}
        return 404, {}


class Cached:
    """Writes values into a real Redis as the enricher does."""

    def __init__(self, url: str) -> None:
        self.redis: Any = redis.Redis.from_url(url)

    def chain(self, **changes: Any) -> Json:
        """Store the golden chain with `changes` in the index and under its key; return it."""
        chain = example("cache-latest-chain") | changes
        self._keep("chain", chain)
        return chain

    def ratio(self, **changes: Any) -> Json:
        """Store the golden ratios with `changes` in the index and under their key; return them."""
        ratio = example("cache-latest-pcr") | changes
        self._keep("pcr", ratio)
        return ratio

    def _keep(self, kind: str, value: Json) -> None:
        product, expiry = value["product"], value["expiry"]
        self.redis.hset(f"index:{product}", f"chain:{expiry}", json.dumps(example("cache-index")))
        self.redis.set(f"latest:{kind}:{product}:{expiry}", json.dumps(value))

    def bar(self, minutes: int = 1, product: str = "NIFTY", **changes: Any) -> Json:
        """Store the golden bar with `changes`; return it."""
        bar = example("cache-ohlc-bar") | changes
        self.redis.hset(f"ohlc:{product}:{minutes}m", bar["start"], json.dumps(bar))
        return bar


@pytest.fixture(scope="session")
def auth() -> Iterator[Auth]:
    server = Auth()
    yield server
    server.stop()


@pytest.fixture
def storage() -> Iterator[Storage]:
    """The storage stub, without documents."""
    server = Storage()
    yield server
    server.stop()


@pytest.fixture
def cached(redis_url: str) -> Iterator[Cached]:
    """An empty cache."""
    made = Cached(redis_url)
    yield made
    made.redis.close()


@pytest.fixture
def settings(redis_url: str, auth: Auth, storage: Storage) -> Settings:
    return Settings(
        redis_url=redis_url, auth_url=auth.url, storage_url=storage.url, service_client_secret=SECRET
    )


@pytest.fixture
def make_client(settings: Settings) -> Callable[..., Client]:
    """Return a function that creates a client of the real app; keyword arguments change settings."""

    def make(**changes: Any) -> Client:
        given = settings.model_dump() | changes
        return Client(create_app(Settings(**given)))

    return make


@pytest.fixture
def make_get(make_client: Callable[..., Client]) -> Callable[..., Callable[..., TestResponse]]:
    """Return a function that creates a `get`; keyword arguments change the app's settings."""

    def make(**changes: Any) -> Callable[..., TestResponse]:
        client = make_client(**changes)
        headers = {"Authorization": f"Bearer {access_token('analytics')}"}
        return lambda path, **query: client.get(path, query_string=query or None, headers=headers)

    return make


@pytest.fixture
def get(make_get: Callable[..., Callable[..., TestResponse]]) -> Callable[..., TestResponse]:
    """Send a GET with a valid token; keyword arguments are the query."""
    return make_get()


@pytest.fixture
def make_stored() -> Callable[..., Json]:
    """Return a function that makes the golden document of a collection, with changes, and validates it."""

    def make(name: str, **changes: Any) -> Json:
        document = example(f"document-{name}") | changes
        validator(f"document-{name}").validate(document)
        return document

    return make
