"""A second pair of gateways over the stores and services of a local run: reads need an account there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from devcluster.ports import free_port
from devcluster.processes.http_process import HttpProcess, gunicorn
from devcluster.waiting import wait_until

from tests.support.local_system import ROOT, LocalSystem

READS_PER_MINUTE = 60


@contextmanager
def guarded(system: LocalSystem, logs: Path) -> Iterator[HttpProcess]:
    """Run both gateways without anonymous reads, and yield the API gateway."""
    port = free_port()
    secrets = {
        "REDIS_URL": system.secret("redis_url"),
        "SERVICE_CLIENT_SECRET": system.secret("client_api-gateway"),
    }
    urls = {f"{name}_URL": system.url("", name) for name in ("AUTH", "STORAGE", "ANALYTICS")}
    services = ROOT / "services"
    live = HttpProcess(
        ["app.py"],
        services / "socket-gateway",
        logs / "socket-gateway.log",
        REDIS_URL=secrets["REDIS_URL"],
        AUTH_URL=urls["AUTH_URL"],
        CORS_ORIGINS=f"http://localhost:{port}",
    )
    rest = gunicorn(
        services / "api-gateway",
        logs / "api-gateway.log",
        PORT=str(port),
        SOCKET_URL=f":{live.port}",
        RATE_LIMIT_PER_MINUTE=str(READS_PER_MINUTE),
        **secrets,
        **urls,
    )
    with live, rest:
        wait_until(live.ready, "the Socket.IO gateway is ready")
        wait_until(rest.ready, "the API gateway is ready")
        yield rest
