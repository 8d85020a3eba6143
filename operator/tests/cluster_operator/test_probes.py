"""The operator's own HTTP server, on real sockets."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from prometheus_client import CollectorRegistry

from deltastream_operator.cluster import probes


async def _answering(host: str) -> list[str]:
    """The loopback addresses at which it answers."""
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
def test_it_answers_at_the_addresses_that_it_is_given(host: str, answering: list[str]) -> None:
    """Rule: `::` is every address of both families, for a node of two families may ask by either."""
    assert asyncio.run(_answering(host)) == answering
