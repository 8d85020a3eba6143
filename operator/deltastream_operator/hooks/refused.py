"""The command `refused HOST:PORT…`: check that no address accepts a connection from this pod."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

_CONNECT_TIMEOUT_S = 5.0
_LOOKUP_ATTEMPTS = 3


async def run(addresses: Sequence[str]) -> list[str]:
    """Return a line for each address that fails the check.

    A name that does not resolve also fails: it does not show that the network policy refuses connections.
    """
    answers = await asyncio.gather(*(_open(address) for address in addresses))
    return [f"{address}: {answer}" for address, answer in zip(addresses, answers, strict=True) if answer]


async def _open(address: str) -> str | None:
    host, _, port = address.rpartition(":")
    loop = asyncio.get_running_loop()
    for attempt in range(_LOOKUP_ATTEMPTS):
        try:
            await loop.getaddrinfo(host, int(port))
            break
        except (OSError, ValueError) as error:
            if attempt == _LOOKUP_ATTEMPTS - 1:
                return f"cannot be looked up ({error}), so the check is not possible"
            await asyncio.sleep(1)
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(host, int(port)), _CONNECT_TIMEOUT_S)
    except (OSError, TimeoutError):
        return None
    writer.close()
    return "accepted a connection"
