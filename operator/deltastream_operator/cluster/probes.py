"""Serve /livez, /readyz, /health and /metrics.

The server shares the event loop with the controller, so a loop that hangs fails its probes.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest


@asynccontextmanager
async def served(
    host: str,
    port: int,
    *,
    live: Callable[[], str | None],
    ready: Callable[[], str | None],
    registry: CollectorRegistry,
) -> AsyncIterator[int]:
    """Serve while the block runs, and yield the port.

    `live` and `ready` return a problem or None. The host `::` listens on all addresses, IPv4 and IPv6.
    """

    def answer(problem: str | None) -> web.Response:
        body = {"status": "unhealthy" if problem else "healthy", "service": "operator", "problem": problem}
        return web.json_response(body, status=503 if problem else 200, headers={"Cache-Control": "no-store"})

    async def livez(_: web.Request) -> web.Response:
        return answer(live())

    async def readyz(_: web.Request) -> web.Response:
        return answer(ready())

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(
            body=generate_latest(registry), headers={"Content-Type": "text/plain; version=0.0.4"}
        )

    app = web.Application()
    app.add_routes([web.get("/livez", livez), web.get("/readyz", readyz), web.get("/health", readyz)])
    app.add_routes([web.get("/metrics", metrics)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await _site(runner, host, port).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def _site(runner: web.AppRunner, host: str, port: int) -> web.BaseSite:
    if host != "::":
        return web.TCPSite(runner, host, port)
    # A socket that asyncio creates for `::` accepts only IPv6, but a dual-stack node may probe by IPv4.
    both = socket.create_server((host, port), family=socket.AF_INET6, dualstack_ipv6=True)
    return web.SockSite(runner, both)
