"""Tests for probes and metrics, and for the command behind an image's HEALTHCHECK."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from werkzeug.test import Client

from chassis import health

Serve = Callable[..., str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a probe server on a free port; returns the port as text, as HEALTHCHECK passes it."""
    with ExitStack() as stack:

        def start(**options: object) -> str:
            server = health.Health("test", {}, **options).serve("127.0.0.1", 0)  # type: ignore[arg-type]
            stack.callback(server.server_close)
            stack.callback(server.shutdown)
            return str(server.server_port)

        yield start


@pytest.fixture
def closed() -> Iterator[str]:
    """A port that is bound but not listening."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield str(held.getsockname()[1])


def test_a_process_that_is_alive_is_healthy(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without arguments the command probes the port in the variable PORT."""
    monkeypatch.setenv("PORT", serve())
    assert health.main([]) == 0


def test_every_port_must_be_alive(serve: Serve, closed: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One container may run two processes, as the enricher does outside Kubernetes."""
    assert health.main([serve(), serve()]) == 0
    assert health.main([serve(), closed]) == 1
    assert closed in capsys.readouterr().err


def test_a_stalled_loop_is_not_healthy(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    """A process that listens but does not call `beat` is unhealthy."""
    times = iter([0.0, *[100.0] * 10])
    assert health.main([serve(stalled_after_s=5, clock=lambda: next(times))]) == 1
    assert "503" in capsys.readouterr().err


def test_a_missing_port_is_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message shows that PORT is empty."""
    monkeypatch.delenv("PORT", raising=False)
    assert health.main([]) == 1
    assert "port ''" in capsys.readouterr().err


def _application(_environ: object, start_response: Callable[..., object]) -> list[bytes]:
    start_response("200 OK", [])
    return [b"the application"]


def test_readiness_names_each_dependency_and_checks_it_once_a_second() -> None:
    """Results are cached, and a check that raises makes the dependency unavailable."""
    now, unavailable, checked = [0.0], [False], list[str]()

    def store() -> None:
        checked.append("store")
        if unavailable[0]:
            raise RuntimeError("with a password")

    probed = health.Health("test", {"store": store, "cache": lambda: None}, clock=lambda: now[0])
    client = Client(probed.middleware(_application))
    for path in ("/readyz", "/health"):
        got = client.get(path)
        assert (got.status_code, got.json["checks"]) == (200, {"store": "ok", "cache": "ok"})
    assert checked == ["store"]
    unavailable[0], now[0] = True, 1.1
    got = client.get("/readyz")
    assert got.status_code == 503
    assert got.json == {
        "status": "unhealthy",
        "service": "test",
        "checks": {"store": "unavailable", "cache": "ok"},
    }
    assert client.get("/livez").status_code == 200  # a restart would not repair the store


def test_other_paths_go_to_the_application() -> None:
    """The middleware answers only the probes and /metrics."""
    client = Client(health.Health("test", {}).middleware(_application))
    assert client.get("/x").text == "the application"
    assert "python_info" in client.get("/metrics").text


@pytest.mark.parametrize(("given", "kept"), [("desk-1", True), ("a b", False)])
def test_a_probe_response_has_the_headers_of_every_response(given: str, kept: bool) -> None:
    """Probe responses carry a well-formed caller's id, and forbid sniffing and caching."""
    client = Client(health.Health("test", {}).middleware(_application))
    headers = client.get("/livez", headers={"X-Request-ID": given}).headers
    assert (headers["X-Request-ID"] == given) is kept
    assert (headers["X-Content-Type-Options"], headers["Cache-Control"]) == ("nosniff", "no-store")


def test_the_probe_server_answers_404_to_other_paths(serve: Serve) -> None:
    """The probe server of a process without HTTP interface answers other paths with 404."""
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"http://127.0.0.1:{serve()}/x", timeout=30)
    with caught.value as answer:
        problem = json.load(answer)
    assert (answer.code, problem["code"]) == (404, "not_found")
    assert problem["request_id"] == answer.headers["X-Request-ID"]


def test_a_malformed_request_is_refused_and_not_quoted(serve: Serve) -> None:
    """A malformed request may contain a token."""
    with socket.create_connection(("127.0.0.1", int(serve())), timeout=30) as peer:
        peer.sendall(b"GET /hunter2 no HTTP at all\r\n\r\n")
        answer = b"".join(iter(lambda: peer.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.0 400 ")
    assert b'"code": "bad_input"' in answer
    assert b"nosniff" in answer
    assert b"hunter2" not in answer


def test_the_head_of_a_request_is_bounded(serve: Serve) -> None:
    """A request with megabytes of headers gets no answer: each of 32 connections could hold as many."""
    request = b"GET /livez HTTP/1.1\r\n" + (b"X: " + b"x" * 60_000 + b"\r\n") * 50 + b"\r\n"
    answer = b""
    with (
        socket.create_connection(("127.0.0.1", int(serve())), timeout=30) as peer,
        contextlib.suppress(OSError),  # the server closes the connection before it has read everything
    ):
        peer.sendall(request)
        answer = peer.recv(4096)
    assert answer == b""


def test_single_bytes_do_not_extend_the_deadline_of_a_head(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole head has one deadline."""
    monkeypatch.setattr(health, "_HEAD_S", 0.2)
    with socket.create_connection(("127.0.0.1", int(serve())), timeout=30) as peer:
        ended = threading.Event()
        reader = threading.Thread(target=lambda: (_until_end(peer), ended.set()))
        reader.start()
        while not ended.wait(0.05):
            with contextlib.suppress(OSError):
                peer.sendall(b"a")
        reader.join()


def _until_end(peer: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while peer.recv(4096):
            pass


def test_idle_connections_do_not_block_a_probe(serve: Serve) -> None:
    """A connection above the limit closes the oldest one, so a probe still gets an answer."""
    port = serve()
    with ExitStack() as stack:
        for _ in range(40):
            stack.enter_context(socket.create_connection(("127.0.0.1", int(port)), timeout=30))
        assert health.main([port]) == 0
