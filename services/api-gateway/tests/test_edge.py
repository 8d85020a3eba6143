"""What applies to every request: request ids, CORS, headers, metrics and readiness."""

from __future__ import annotations

import socket
import threading
from typing import Any

import pytest
import urllib3

from api_gateway.readiness import Sweep, answers_ok

PRODUCTS = "/api/data/products"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
DESK = "https://desk.example:8443"


def test_request_and_trace_ids_reach_the_upstream_and_the_response(
    gateway: Any, client: Any, user: Any
) -> None:
    """The caller's request id and trace context reach the upstream; the response repeats the id."""
    got = client.get(PRODUCTS, headers={**user, "X-Request-ID": "desk-42", "traceparent": TRACE})
    assert got.headers["X-Request-ID"] == "desk-42"
    (seen,) = gateway.storage.seen
    assert (seen.headers["X-Request-ID"], seen.headers["traceparent"]) == ("desk-42", TRACE)


def test_a_malformed_request_id_is_replaced(gateway: Any, client: Any, user: Any) -> None:
    """A malformed request id is replaced, because ids are logged. A problem contains the new id."""
    got = client.get("/api/data/quote/x", headers={**user, "X-Request-ID": "a b{}", "traceparent": "x"})
    assert got.headers["X-Request-ID"] != "a b{}"
    assert got.json["request_id"] == got.headers["X-Request-ID"]


@pytest.mark.parametrize("path", [PRODUCTS, "/nothing"])
def test_an_allowed_origin_may_read_even_errors(gateway: Any, path: str) -> None:
    """Errors have CORS headers too; without them a browser hides the error from the page."""
    client = gateway.client(cors_origins=DESK)
    got = client.get(path, headers={"Origin": DESK})
    assert got.status_code in (401, 404)
    assert got.headers["Access-Control-Allow-Origin"] == DESK
    assert "Origin" in got.headers["Vary"]


def test_a_preflight_needs_no_token(gateway: Any) -> None:
    """A CORS preflight needs no token, because browsers send none with it."""
    asked = {"Origin": DESK, "Access-Control-Request-Method": "GET"}
    got = gateway.client(cors_origins=DESK).options(PRODUCTS, headers=asked)
    assert got.status_code == 204
    assert got.headers["Access-Control-Allow-Origin"] == DESK
    assert "Authorization" in got.headers["Access-Control-Allow-Headers"]


@pytest.mark.parametrize("origin", ["https://evil.example", "null", f"{DESK}.evil.example"])
def test_another_origin_gets_no_cors_headers(gateway: Any, origin: str) -> None:
    """Origins are compared exactly, without wildcards or suffixes; other origins get no CORS headers."""
    asked = {"Origin": origin, "Access-Control-Request-Method": "GET"}
    got = gateway.client(cors_origins=DESK).options(PRODUCTS, headers=asked)
    assert not [name for name, _ in got.headers if name.startswith("Access-Control")]


def test_responses_forbid_sniffing_and_shared_caches(client: Any, user: Any) -> None:
    """Browsers must not sniff the content type, and shared caches must not store responses."""
    got = client.get(PRODUCTS, headers=user)
    assert got.headers["X-Content-Type-Options"] == "nosniff"
    assert got.headers["Cache-Control"] == "private, no-cache"


def test_requests_are_counted_by_route_template(client: Any, user: Any) -> None:
    """Labels are route templates: symbols and unknown methods must not create new time series."""
    client.get("/api/data/underlying/NIFTY", headers=user)
    client.open("/nothing/at/all", method="BREW")
    text = client.get("/metrics").text
    assert 'route="/api/data/underlying/<product>",status="200"' in text
    assert 'method="other",route="none",status="404"' in text
    assert 'gateway_upstream_seconds_count{upstream="storage"}' in text
    assert "at/all" not in text


@pytest.mark.parametrize("path", ["/readyz", "/health"])
def test_the_gateway_is_ready_if_all_dependencies_are(gateway: Any, path: str) -> None:
    """The gateway is ready if all dependencies are. /health, the name of the original, answers the same."""
    client = gateway.client(ready_urls=f"socket-gateway={gateway.auth.url}/readyz")
    got = client.get(path)
    assert (got.status_code, got.json["status"], got.json["service"]) == (200, "healthy", "api-gateway")
    names = {"auth", "storage", "analytics", "redis", "socket-gateway"}
    assert got.json["checks"] == dict.fromkeys(names, "ok")


def test_readiness_checks_return_their_connections_to_the_pool(gateway: Any) -> None:
    """A check returns its connection to the pool, also if several checks share a host."""
    check = answers_ok(urllib3.PoolManager(maxsize=1, block=True), f"{gateway.auth.url}/readyz")
    for _ in range(3):
        check()


@pytest.mark.parametrize("which", ["auth", "storage", "analytics"])
def test_the_gateway_is_not_ready_while_a_dependency_is_not(gateway: Any, client: Any, which: str) -> None:
    """If a dependency is not ready, /readyz answers 503 and names it; /livez still answers 200."""
    getattr(gateway, which).ready = 503
    got = client.get("/readyz")
    assert (got.status_code, got.json["status"]) == (503, "unhealthy")
    assert [name for name, state in got.json["checks"].items() if state != "ok"] == [which]
    assert client.get("/livez").status_code == 200


def test_the_gateway_is_not_ready_without_redis_or_a_ready_url(gateway: Any) -> None:
    """Redis and the READY_URLS count for readiness like the services."""
    client = gateway.client(redis_url="redis://127.0.0.1:9/0", ready_urls="worker=http://127.0.0.1:9/readyz")
    checks = client.get("/readyz").json["checks"]
    assert (checks["redis"], checks["worker"], checks["auth"]) == ("unavailable", "unavailable", "ok")


def test_a_dependency_that_never_answers_is_unavailable(gateway: Any) -> None:
    """A dependency that accepts the connection and never answers is unavailable."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/readyz"
        got = gateway.client(ready_urls=f"worker={url}").get("/readyz")
    assert got.status_code == 503
    assert [name for name, state in got.json["checks"].items() if state != "ok"] == ["worker"]


def test_dependencies_are_checked_in_parallel() -> None:
    """Checks run in parallel: here each one answers only after all have started."""
    everybody = threading.Barrier(12, timeout=30)
    targets = {f"dependency-{n}": everybody.wait for n in range(everybody.parties)}
    for check in Sweep(targets, within_s=60).checks().values():
        check()
