"""Test the operator's HTTP server for probes and metrics, on real sockets."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from prometheus_client import CollectorRegistry

from deltastream_operator.cluster import probes


async def _answering(host: str) -> list[str]:
    """Return the loopback addresses at which the server responds when it listens on `host`."""
    answering = []
    async with (
        probes.served(host, 0, live=lambda: None, ready=lambda: None, registry=CollectorRegistry()) as port,
        aiohttp.ClientSession() as http,
    ):
        for address in ("127.0.0.1", "[::1]"):
            try:
                async with http.get(f"http://{address}:{port}/livez") as answer:
                    assert answer.status == 200
                    answering.append(address)
            except aiohttp.ClientConnectionError:
                pass
    return answering


@pytest.mark.parametrize(
    ("host", "answering"), [("0.0.0.0", ["127.0.0.1"]), ("::1", ["[::1]"]), ("::", ["127.0.0.1", "[::1]"])]
)
def test_the_server_responds_at_the_addresses_of_its_host(host: str, answering: list[str]) -> None:
    """`::` means all IPv4 and IPv6 addresses: in a dual-stack cluster probes may use either family."""
    assert asyncio.run(_answering(host)) == answering
