"""The fake exchange's server: JSON-RPC, heartbeat, test requests, credits, and every fault on request.

It runs in a thread of its own. `sent` has the tickers that went out whole, by connection and in
order: from that a test computes what a client must have received.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from random import Random
from typing import Any, TypeVar

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from tests.support.fake_deribit import rules
from tests.support.fake_deribit.faults import Faults
from tests.support.fake_deribit.market import Market, index_name

_T = TypeVar("_T")


@dataclass(eq=False)
class Client:
    """One connection. `sent`: (instrument, timestamp) of each ticker that went out whole."""

    socket: ServerConnection
    channels: set[str] = field(default_factory=set)
    sent: list[tuple[str, int]] = field(default_factory=list)
    heartbeat_s: float = 0
    unanswered: int = 0
    held: dict[str, tuple[int, str]] = field(default_factory=dict)


class FakeDeribit:
    """A running exchange. `now_ms`: the time, ms since the epoch. `scale`: seconds of it in a real second."""

    def __init__(
        self,
        market: Market,
        *,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        scale: float = 1.0,
        tls: ssl.SSLContext | None = None,
        limited: bool = True,
        seed: int = 7,
        listener: socket.socket | None = None,
    ) -> None:
        self.market, self.faults = market, Faults()
        self._now_ms, self._scale, self._tls, self._limited = now_ms, scale, tls, limited
        self._credits = rules.Credits()
        self.clients: list[Client] = []
        self.sent: list[list[tuple[str, int]]] = []  # of each connection so far
        self.requests: list[str] = []
        self.tests_answered = 0
        self._random = Random(seed)
        self._loop = asyncio.new_event_loop()
        self._started: Future[int] = Future()
        self._thread = threading.Thread(target=self._run, name="fake-deribit", daemon=True)
        self.port, self._listener = 0, listener

    @property
    def url(self) -> str:
        """The exchange's URL."""
        host = self._listener.getsockname()[0] if self._listener else "localhost"
        return f"{'wss' if self._tls else 'ws'}://{host}:{self.port}/ws/api/v2"

    def start(self, port: int = 0) -> None:
        """Listen on `port`, 0 for any, or on the `listener`."""
        self.port = port
        self._thread.start()
        self.port = self._started.result(timeout=10)

    def stop(self) -> None:
        """End all connections and the thread."""
        self.do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)

    def do(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run a coroutine in the exchange's thread and return its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=60)

    def tick(self, currency: str = "BTC", count: int | None = None) -> None:
        """Move a spot; send its index and the tickers of `count` subscribed options, default all."""
        self.do(self.send_ticks(currency, count))

    def disconnect(self, how: str = "close") -> None:
        """End every connection: `close` with a close frame, or `cut` in the middle of a frame."""
        self.do(self._disconnect(how))

    async def send_ticks(self, currency: str, count: int | None = None) -> None:
        """See `tick`."""
        self.market.move(currency)
        for client in list(self.clients):
            with suppress(ConnectionClosed):
                await self._send_ticks(client, currency, count)

    async def _send_ticks(self, client: Client, currency: str, count: int | None) -> None:
        now_ms = self._exchange_ms()
        await self.send_index(client, currency)
        names = sorted(channel for channel in client.channels if channel.startswith(f"ticker.{currency}-"))
        if count is not None:
            names = self._random.sample(names, min(count, len(names)))
        for channel in names:
            await self._send_ticker(client, channel, now_ms)

    async def send_index(self, client: Client, currency: str) -> None:
        """Send the price of a currency's index to a client that has subscribed it."""
        index = index_name(currency)
        if f"deribit_price_index.{index}" in client.channels:
            await self._send_index(client, index)

    async def _send_index(self, client: Client, index: str) -> None:
        if index != self.faults.unpriced:
            data = self.market.index(index, self._exchange_ms())
            await self._notify(client, f"deribit_price_index.{index}", data)

    async def _send_ticker(self, client: Client, channel: str, now_ms: int) -> None:
        name = channel.split(".")[1]
        data = self.market.ticker(name, now_ms)
        if self.faults.edit:
            self.faults.edit(data)
        text = notification(channel, data)
        chance = self._random.random
        if chance() < self.faults.garbled:
            await client.socket.send(text[: len(text) // 2])
            return
        if name not in client.held and chance() < self.faults.reordered:
            client.held[name] = (now_ms, text)  # goes out after the option's next ticker
            return
        await self._send_text(client, name, now_ms, text)
        if name in client.held:
            await self._send_text(client, name, *client.held.pop(name))
        if chance() < self.faults.repeated:
            await self._send_text(client, name, now_ms, text)

    async def _send_text(self, client: Client, name: str, ms: int, text: str) -> None:
        if not self.faults.silent:
            await client.socket.send(text)
            client.sent.append((name, ms))

    async def _notify(self, client: Client, channel: str, data: dict[str, Any]) -> None:
        if not self.faults.silent:
            await client.socket.send(notification(channel, data))

    def _exchange_ms(self) -> int:
        return self._now_ms() + self.faults.ahead_ms

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.run_forever()
        self._loop.close()

    async def _serve(self) -> None:
        place = {"sock": self._listener} if self._listener else {"host": "localhost", "port": self.port}
        self._server = await serve(self._client, **place, ssl=self._tls, process_request=self._handshake)
        self._started.set_result(next(iter(self._server.sockets)).getsockname()[1])

    async def _close(self) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _handshake(self, socket: ServerConnection, request: object) -> Any:
        del request
        too_many = self._limited and len(self.clients) >= rules.CONNECTIONS
        status = self.faults.handshake or (429 if too_many else 0)
        return socket.respond(status, "<html>maintenance</html>") if status else None

    async def _disconnect(self, how: str) -> None:
        for client in list(self.clients):
            self.clients.remove(client)
            if how == "cut":
                transport = client.socket.transport
                transport.write(b"\x81\x7e\x02\x00" + b'{"jsonrpc":"2.0","method":"subsc')
                transport.close()
            else:
                await client.socket.close(1001, "maintenance")

    async def _client(self, socket: ServerConnection) -> None:
        client = Client(socket)
        self.clients.append(client)
        self.sent.append(client.sent)
        beats = asyncio.create_task(self._beat(client))
        try:
            with suppress(ConnectionClosed):
                async for text in socket:
                    await self._read(client, str(text))
        finally:
            beats.cancel()
            if client in self.clients:
                self.clients.remove(client)

    async def _beat(self, client: Client) -> None:
        """Send heartbeats and test requests. A client that answers none of two is disconnected."""
        with suppress(ConnectionClosed):
            while True:
                await asyncio.sleep((client.heartbeat_s or 1) / self._scale)
                if not client.heartbeat_s or self.faults.silent:
                    continue
                if client.unanswered > 1:
                    await client.socket.close(1008, "no answer to test_request")
                    return
                for kind in ("heartbeat", "test_request"):
                    frame = {"jsonrpc": "2.0", "method": "heartbeat", "params": {"type": kind}}
                    await client.socket.send(json.dumps(frame))
                client.unanswered += 1

    async def _read(self, client: Client, text: str) -> None:
        if error := rules.unreadable(text):
            await self._say(client, {"jsonrpc": "2.0", "error": error, **self._times()})
        else:
            await self._answer(client, json.loads(text))

    async def _answer(self, client: Client, request: dict[str, Any]) -> None:
        method, params = request["method"], request.get("params", {})
        self.requests.append(method)
        if self._limited and not self._credits.pay(method, self._now_ms()):
            await self._reply(client, request, error={"code": 10028, "message": "too_many_requests"})
            await client.socket.close(1008, "too many requests")
        elif refused := self.faults.refuses.get(method):
            await self._reply(client, request, error={"code": refused[0], "message": refused[1]})
        elif error := rules.problem(request):
            await self._reply(client, request, error=error)
        elif method == "public/set_heartbeat":
            client.heartbeat_s = params["interval"]
            await self._reply(client, request, "ok")
        elif method == "public/test":
            client.unanswered = 0
            self.tests_answered += 1
            await self._reply(client, request, {"version": "1.2.26"})
        elif method == "public/get_instruments":
            listed = self.market.instruments(params["currency"], params.get("kind"))
            await self._reply(client, request, [] if self.faults.no_instruments else listed)
        elif method == "public/subscribe":
            await self._subscribe(client, request, params["channels"])
        elif method == "public/unsubscribe":
            client.channels.difference_update(params["channels"])
            await self._reply(client, request, params["channels"])
        else:
            await self._reply(client, request, error={"code": -32601, "message": "Method not found"})

    async def _subscribe(self, client: Client, request: dict[str, Any], channels: list[str]) -> None:
        known = [channel for channel in channels if self._knows(channel)]
        client.channels.update(known)
        await self._reply(client, request, known)
        now_ms = self._exchange_ms()
        for channel in known:  # as the exchange does, the first notification comes at once
            if channel.startswith("ticker."):
                await self._send_ticker(client, channel, now_ms)
            else:
                await self._send_index(client, channel.split(".")[1])

    def _knows(self, channel: str) -> bool:
        kind, name, *rest = channel.split(".")
        if kind == "deribit_price_index":
            return name in map(index_name, self.market.spots)
        return (
            kind == "ticker"
            and name in self.market.options.keys() - {self.faults.delisted}
            and rest == ["100ms"]
        )

    async def _reply(
        self, client: Client, request: dict[str, Any], result: object = None, *, error: object = None
    ) -> None:
        outcome = {"error": error} if error else {"result": result}
        await self._say(client, {"jsonrpc": "2.0", "id": request.get("id"), **outcome, **self._times()})

    def _times(self) -> dict[str, int]:
        us = self._exchange_ms() * 1000
        return {"usIn": us, "usOut": us, "usDiff": 0}

    async def _say(self, client: Client, frame: dict[str, Any]) -> None:
        if not self.faults.silent:
            await client.socket.send(json.dumps(frame))


def notification(channel: str, data: dict[str, Any]) -> str:
    """Return the text of a subscription's frame."""
    frame = {"jsonrpc": "2.0", "method": "subscription", "params": {"channel": channel, "data": data}}
    return json.dumps(frame, separators=(",", ":"))


@contextmanager
def running(exchange: FakeDeribit, port: int = 0) -> Iterator[FakeDeribit]:
    """Run the exchange on `port`, 0 for any, for the duration of a block."""
    exchange.start(port)
    try:
        yield exchange
    finally:
        exchange.stop()
