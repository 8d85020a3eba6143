"""Receives live events from the Socket.IO gateway, and reconnects by itself."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import socketio

from deltastream_cli.adapters.gateway import Gateway
from deltastream_cli.errors import CommandError, Refused, Unavailable

EVENTS = ("underlying_update", "chain_update", "resync")
Event = tuple[str, dict[str, Any]]


def socket_url(gateway: Gateway, given: str | None) -> str:
    """Return the URL of the Socket.IO gateway: the given one, the one the gateway names, or port 8002."""
    if given:
        return given
    host = urlsplit(gateway.url)
    try:
        named = str(gateway.get("/web/config.json").get("socket_url", ""))
    except CommandError:  # an older release, which has no page
        named = ":8002"
    if named.startswith(":"):
        return f"{host.scheme}://{host.hostname}{named}"
    return named or gateway.url


class Live:
    """The events of one product. The queue is bounded: the newest events replace the oldest."""

    def __init__(self, product: str) -> None:
        self._product = product
        self._events: queue.Queue[Event] = queue.Queue(maxsize=1000)

    def put(self, name: str, data: Any) -> None:
        """Queue an event, in place of the oldest one if the queue is full.

        Right after the connection the gateway also sends ticks of other products; they are left out.
        """
        found = data if isinstance(data, dict) else {}
        if found.get("product", self._product) != self._product:
            return
        while True:
            try:
                self._events.put_nowait((name, found))
            except queue.Full:
                self._events.get_nowait()
            else:
                return

    def next(self, timeout_s: float) -> Event | None:
        """Return the next event, or None after the timeout."""
        try:
            return self._events.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def subscribe(self, io: Any) -> None:
        """Ask for the product's ticks and chains, and not for those of all products."""
        io.emit("unsubscribe", {"type": "general"})
        for kind in ("product", "chain"):
            io.emit("subscribe", {"type": kind, "symbol": self._product})


@contextmanager
def connected(url: str, token: Callable[[], str | None], product: str) -> Iterator[Live]:
    """Connect, subscribe and yield the events; `connected` and `disconnected` are events too.

    Raises Refused or Unavailable if the gateway does not admit the client.
    """
    io = socketio.Client(handle_sigint=False, reconnection_delay_max=5)
    live = Live(product)
    refusals: list[Any] = []

    def on_connect() -> None:
        live.put("connected", {})
        live.subscribe(io)

    io.on("connect", on_connect)
    io.on("disconnect", lambda *_: live.put("disconnected", {}))
    io.on("connect_error", refusals.append)
    io.on("error", lambda data=None: live.put("error", data))
    for name in EVENTS:
        io.on(name, lambda data=None, name=name: live.put(name, data))
    try:
        io.connect(
            url,
            auth=lambda: {"token": found} if (found := token()) else {},
            transports=["websocket"],
            wait_timeout=15,
        )
    except socketio.exceptions.ConnectionError:
        raise _refused(url, refusals) from None
    try:
        yield live
    finally:
        io.disconnect()


def _refused(url: str, refusals: list[Any]) -> CommandError:
    data = next((one.get("data") for one in refusals if isinstance(one, dict)), None)
    code = data.get("code") if isinstance(data, dict) else None
    if code == "unauthorized":
        return Refused("live data of this system need a login: run `deltastream login`")
    if code:
        return Unavailable(f"{url} admits no client now ({code}): try again")
    return Unavailable(
        f"{url} does not answer as a Socket.IO gateway: start it, or name it with --socket-url or "
        "DELTASTREAM_SOCKET_URL"
    )
