"""What HEALTHCHECK runs, asked of real listeners."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from chassis import health

Serve = Callable[..., str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start a probe server on a free port; the port as HEALTHCHECK has it."""
    with ExitStack() as stack:

        def start(**options: object) -> str:
            server = health.Health("test", {}, **options).serve("127.0.0.1", 0)  # type: ignore[arg-type]
            stack.callback(server.server_close)
            stack.callback(server.shutdown)
            return str(server.server_port)

        yield start


@pytest.fixture
def closed() -> Iterator[str]:
    """A port that is taken and on which nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield str(held.getsockname()[1])


def test_a_process_that_is_alive_is_healthy(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without arguments it asks the port that the image's PORT names."""
    monkeypatch.setenv("PORT", serve())
    assert health.main([]) == 0


def test_every_port_must_be_alive(serve: Serve, closed: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One container may hold two processes: the enricher's without Kubernetes."""
    assert health.main([serve(), serve()]) == 0
    assert health.main([serve(), closed]) == 1
    assert closed in capsys.readouterr().err


def test_a_stalled_loop_is_not_healthy(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    """Listening alone is no sign of life."""
    times = iter([0.0, *[100.0] * 10])
    assert health.main([serve(stalled_after_s=5, clock=lambda: next(times))]) == 1
    assert "503" in capsys.readouterr().err


def test_no_port_at_all_is_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A container started with an empty PORT."""
    monkeypatch.delenv("PORT", raising=False)
    assert health.main([]) == 1
    assert "port ''" in capsys.readouterr().err
