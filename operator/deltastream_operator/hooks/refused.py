"""`refused HOST:PORT…`: proves that no address takes a connection from here."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

_PATIENCE_S = 5.0
_TRIES = 3


async def run(addresses: Sequence[str]) -> list[str]:
    """The addresses that took a connection, or whose name does not resolve, which proves nothing."""
    answers = await asyncio.gather(*(_open(address) for address in addresses))
    return [f"{address}: {answer}" for address, answer in zip(addresses, answers, strict=True) if answer]


async def _open(address: str) -> str | None:
    host, _, port = address.rpartition(":")
    loop = asyncio.get_running_loop()
    for attempt in range(_TRIES):
        try:
            await loop.getaddrinfo(host, int(port))
            break
        except (OSError, ValueError) as error:
            if attempt == _TRIES - 1:
                return f"cannot be looked up ({error}), so this proves nothing"
            await asyncio.sleep(1)
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, int(port)), _PATIENCE_S)
    except (OSError, TimeoutError):
        return None
    writer.close()
    return "took a connection"
