"""Attacks with reserved event names, with invented subscription keys and with expensive ones."""

from __future__ import annotations

import contextlib
import json

from tests.hostile.target import Target, attack
from tests.hostile.wire import flood, frame, hold, websocket

LARGE = "LARGE"  # a product with large cached chains
CUT_WITHIN_S = 20  # a limit for failing tests; the server's cut ends the flood at once
NAMES = (
    *("connect", "disconnect", "connect_error", "connecting", "newListener", "removeListener", "*"),
    *("message", "__disconnect_final", "", "x" * 5000, "\u202e", 5, None, [], {}, True, 1.5),
)


def event(*parts: object) -> bytes:
    return frame(b"42" + json.dumps(parts).encode())


@attack("reserved names", of="socket")
def a_flood_of_reserved_names(target: Target) -> None:
    for name in NAMES:
        with websocket(target.port) as one:
            one.sendall(frame(b"40"))
            assert flood(one, event(name, {}, {"token": "x"}), CUT_WITHIN_S), name


@attack("invented keys", of="socket")
def subscriptions_to_invented_symbols(target: Target) -> None:
    """Subscribe as often as the rate limit allows, each time to a symbol that no other client uses."""
    for batch in range(10):
        with websocket(target.port) as one:
            one.sendall(frame(b"40"))
            for number in range(100):
                one.sendall(event("subscribe", {"type": "product", "symbol": f"X{batch}-{number}"}))


@attack("slow readers", of="socket")
def snapshots_that_nobody_reads(target: Target) -> None:
    """Clients subscribe to the largest chains again and again, and read nothing."""
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(websocket(target.port)) for _ in range(40)]
        for one in opened:
            one.sendall(frame(b"40") + event("subscribe", {"type": "chain", "symbol": LARGE}) * 3)
        hold()
