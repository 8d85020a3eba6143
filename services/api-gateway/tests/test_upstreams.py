"""Upstream failures: each gets its own error, and a slow or broken upstream blocks no other request."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

import pytest
import urllib3
from devcluster.ports import free_port

from api_gateway.errors import UpstreamInvalid, UpstreamTimeout, UpstreamUnavailable
from api_gateway.upstream import Breaker, Upstream, pool

PRODUCTS = "/api/data/products"


def test_an_unavailable_upstream_gives_503_with_its_name(gateway: Any, user: Any) -> None:
    """If an upstream is down, the problem names it; other upstreams still answer."""
    client = gateway.client(storage_url=f"http://127.0.0.1:{free_port()}")
    got = client.get(PRODUCTS, headers=user)
    assert (got.status_code, got.content_type) == (503, "application/problem+json")
    assert (got.json["code"], got.json["upstream"]) == ("upstream_unavailable", "storage")
    assert client.get("/api/analytics/pcr/NIFTY", headers=user).status_code == 200


def test_an_unavailable_auth_gives_503_with_its_name(gateway: Any) -> None:
    """If auth is down, a login gets 503 and the name auth."""
    client = gateway.client(auth_url=f"http://127.0.0.1:{free_port()}")
    got = client.post("/api/auth/login", json={"email": "a@b.c", "password": "x"})
    assert (got.status_code, got.json["upstream"]) == (503, "auth")


def test_a_problem_from_an_upstream_is_returned_unchanged(
    gateway: Any, client: Any, user: Any, make_answer: Any, make_problem: Any
) -> None:
    """A problem from an upstream is returned unchanged, with Retry-After but without cookies."""
    kind = "application/problem+json"
    gateway.storage.answers["/products"] = make_answer(
        503, make_problem(503, "store_unavailable"), kind, **{"Retry-After": "7", "Set-Cookie": "a=b"}
    )
    got = client.get(PRODUCTS, headers=user)
    assert (got.status_code, got.content_type, got.json["code"]) == (503, kind, "store_unavailable")
    assert got.headers["Retry-After"] == "7"
    assert "Set-Cookie" not in got.headers


@pytest.mark.parametrize(
    ("status", "kind"), [(500, "application/json"), (200, "text/html"), (302, "application/json")]
)
def test_a_response_that_violates_the_contract_gives_502(
    gateway: Any, client: Any, user: Any, make_answer: Any, status: int, kind: str
) -> None:
    """A stack trace, a proxy's HTML page or a redirect is not returned to the caller, who gets 502."""
    gateway.storage.answers["/products"] = make_answer(
        status, {"trace": "secret"}, kind, Location="http://127.0.0.1:9/"
    )
    got = client.get(PRODUCTS, headers=user)
    assert (got.status_code, got.json["code"]) == (502, "upstream_invalid")
    assert "secret" not in got.text


def test_a_response_over_the_size_limit_gives_502(gateway: Any, user: Any, make_answer: Any) -> None:
    """A response over the size limit gets 502, so an upstream cannot fill the gateway's memory."""
    gateway.storage.answers["/products"] = make_answer(200, {"products": ["N" * 5000]})
    got = gateway.client(upstream_max_bytes=4096).get(PRODUCTS, headers=user)
    assert (got.status_code, got.json["code"]) == (502, "upstream_invalid")


def test_an_aborted_response_returns_its_connection_to_the_pool(gateway: Any) -> None:
    """An aborted response returns its connection slot to the pool."""
    one = Upstream("auth", gateway.auth.url, pool(1), max_bytes=10)
    for _ in range(3):
        with pytest.raises(UpstreamInvalid, match="more than 10 bytes"):
            one.call("GET", "/verify", headers={})


def test_a_failed_login_is_not_retried(gateway: Any, client: Any) -> None:
    """A failed login is not retried: only reads are."""
    gateway.auth.answers["/login"] = lambda handler: handler.connection.shutdown(socket.SHUT_RDWR)
    got = client.post("/api/auth/login", json={"email": "a@b.c", "password": "x"})
    assert (got.status_code, len(gateway.auth.seen)) == (503, 1)


def test_a_failed_read_is_retried_once(gateway: Any, client: Any, user: Any) -> None:
    """A read is retried once if the upstream closes the connection (a restart, an idle limit)."""
    good = gateway.storage.answers["/products"]
    calls: list[int] = []

    def once(handler: Any) -> None:
        calls.append(1)
        if len(calls) == 1:
            handler.connection.shutdown(socket.SHUT_RDWR)
        else:
            handler.reply(good)

    gateway.storage.answers["/products"] = once
    assert client.get(PRODUCTS, headers=user).status_code == 200
    assert len(calls) == 2


@pytest.fixture
def silent() -> Any:
    """URL of a port that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def upstream(url: str, **options: Any) -> Upstream:
    return Upstream("storage", url, pool(2), max_bytes=1 << 20, **options)


def test_a_silent_upstream_times_out(silent: str) -> None:
    """An upstream that accepts the connection and never answers is a timeout, without a retry."""
    with pytest.raises(UpstreamTimeout):
        upstream(silent, read_s=0.05).call("GET", "/", headers={})


def test_a_trickling_upstream_times_out() -> None:
    """The whole response has one deadline: slow single bytes would never reach the socket's timeout."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def trickle() -> None:
            peer, _ = server.accept()
            peer.recv(4096)
            peer.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            try:
                while True:
                    peer.sendall(b"1\r\n \r\n")
                    time.sleep(0.01)
            except OSError:
                peer.close()

        threading.Thread(target=trickle, daemon=True).start()
        with pytest.raises(UpstreamTimeout):
            upstream(f"http://127.0.0.1:{server.getsockname()[1]}", read_s=0.2).call("GET", "/", headers={})


def test_a_timeout_of_an_upstream_gives_504(
    gateway: Any, user: Any, silent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An upstream timeout gets 504 and the upstream's name."""
    monkeypatch.setattr(
        Upstream.__init__, "__kwdefaults__", {"connect_s": 1.0, "read_s": 0.05, "breaker": None}
    )
    got = gateway.client(storage_url=silent).get(PRODUCTS, headers=user)
    assert (got.status_code, got.json["code"], got.json["upstream"]) == (504, "upstream_timeout", "storage")


def test_a_circuit_opens_and_closes() -> None:
    """Consecutive failures open the circuit; after a pause one call may try, and its success closes it."""
    now = [0.0]
    breaker = Breaker("storage", after=2, open_s=3, clock=lambda: now[0])
    breaker.failed()
    assert breaker.allows()
    breaker.failed()
    assert not breaker.allows()
    now[0] = 3
    assert [breaker.allows(), breaker.allows()] == [True, False]
    breaker.failed()
    now[0] = 5.9
    assert not breaker.allows()
    now[0] = 6
    assert breaker.allows()
    breaker.succeeded()
    assert [breaker.allows(), breaker.allows()] == [True, True]


def test_an_open_circuit_fails_calls_without_calling_the_upstream() -> None:
    """While the circuit is open, calls fail immediately and the upstream is not called."""
    breaker = Breaker("storage", after=1)
    one = upstream(f"http://127.0.0.1:{free_port()}", breaker=breaker)
    for reason in ("cannot be reached", "is down"):
        with pytest.raises(UpstreamUnavailable, match=reason):
            one.call("GET", "/", headers={})


def test_consecutive_reads_share_a_connection(gateway: Any, client: Any, user: Any) -> None:
    """Consecutive reads share one keep-alive connection."""
    ports: set[int] = set()
    good = gateway.storage.answers["/products"]

    def note(handler: Any) -> None:
        ports.add(handler.client_address[1])
        handler.reply(good)

    gateway.storage.answers["/products"] = note
    for _ in range(5):
        assert client.get(PRODUCTS, headers=user).status_code == 200
    assert len(ports) == 1


def test_the_number_of_pooled_connections_is_limited() -> None:
    """The pool has at most one connection per thread for each upstream."""
    made: urllib3.PoolManager = pool(3)
    assert (made.connection_pool_kw["maxsize"], made.connection_pool_kw["block"]) == (3, True)
