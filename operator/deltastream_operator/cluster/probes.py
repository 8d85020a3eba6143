"""/livez, /readyz and /metrics, in the event loop that they speak of: one that hangs answers nobody."""

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
    """Serve for the time of the block; the port. `live` and `ready` say what is wrong, or None.

    The host `::` is every address of both families.
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
    # asyncio makes a socket of its own deaf to IPv4, by which a node of two families may probe.
    both = socket.create_server((host, port), family=socket.AF_INET6, dualstack_ipv6=True)
    return web.SockSite(runner, both)
