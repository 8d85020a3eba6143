"""A Kite of our own: a real HTTP and WebSocket server that speaks the documented protocol of Kite Connect 3.

Its market is the synthetic one. `advance` moves it on and sends each changed instrument to the connections
that subscribed it. Everything that a test asks for happens in the server's own thread.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.utils import formatdate
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from tests.support.kite_market import KiteMarket, message

T = TypeVar("T")
API_KEY = "fakeapikey"
_HEARTBEAT_S = 0.2


@dataclass(eq=False)
class Client:
    """One open connection: the mode of each instrument that it subscribed."""

    socket: ServerConnection
    modes: dict[int, str] = field(default_factory=dict)


class FakeKite:
    """The server. `token` is the access token that it accepts; `list_body` replaces the instrument list.

    `ahead_s`: the server's clock minus the true one. `status`: what it answers to every request if it is not
    200. `most_connections`: a further one is answered 429. The list does not come while `listing` is cleared.
    """

    def __init__(
        self, market: KiteMarket, loop: asyncio.AbstractEventLoop, server: Server, tls: bool = False
    ) -> None:
        self.market, self.token = market, "token1"
        self.list_body: bytes | None = None
        self.listing = threading.Event()
        self.listing.set()
        self.ahead_s = 0
        self.status, self.most_connections = HTTPStatus.OK, 3
        self.requests: list[dict[str, Any]] = []
        self.connections = self.downloads = self.refusals = 0
        self.clients: list[Client] = []
        self._s = "s" if tls else ""
        self._loop = loop
        self._host, self.port = server.sockets[0].getsockname()

    @property
    def url(self) -> str:
        """The ticker's URL."""
        return f"ws{self._s}://{self._host}:{self.port}"

    @property
    def api_url(self) -> str:
        """The REST API's URL."""
        return f"http{self._s}://{self._host}:{self.port}"

    @property
    def subscribed(self) -> dict[int, str]:
        """The mode of every instrument that an open connection subscribed."""
        return {token: mode for client in list(self.clients) for token, mode in client.modes.items()}

    def advance(self, batches: int = 1) -> None:
        """Move the market on and send what changed."""
        self._run(self._send_changed(batches))

    def say(self, *messages: bytes | str) -> None:
        """Send messages to every connection, as they are."""
        self._run(self._say(messages))

    def drop(self) -> None:
        """End every connection without a closing handshake."""
        self._run(self._abort(b""))

    def cut(self) -> None:
        """End every connection in the middle of a frame."""
        whole = message(*(self.market.packet(token, "full", _now_s()) for token in self.market.tokens[:3]))
        head = b"\x82\x7e" + len(whole).to_bytes(2, "big")
        self._run(self._abort((head + whole)[: len(whole) // 2]))

    def expire(self, token: str) -> None:
        """Accept only `token` from now on, and end every connection, as Kite does in the morning."""
        self.token = token
        self.drop()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=20)

    async def _send_changed(self, batches: int) -> None:
        changed = self.market.advance(batches)
        for client in list(self.clients):
            wanted = [token for token in changed if token in client.modes]
            await self._send(client, wanted)

    async def _send(self, client: Client, tokens: list[int]) -> None:
        if tokens:
            now_s = _now_s()
            packets = [self.market.packet(token, client.modes[token], now_s) for token in tokens]
            with suppress(ConnectionClosed):
                await client.socket.send(message(*packets))

    async def _say(self, messages: tuple[bytes | str, ...]) -> None:
        for client in list(self.clients):
            for one in messages:
                await client.socket.send(one)

    async def _abort(self, last_bytes: bytes) -> None:
        ended = list(self.clients)
        for client in ended:
            client.socket.transport.write(last_bytes)
            client.socket.transport.close()
        while any(client in self.clients for client in ended):
            await asyncio.sleep(0.001)

    async def answer(self, socket: ServerConnection, request: Request) -> Response | None:
        """Answer the list and refuse a wrong token; None continues the WebSocket handshake."""
        parts = urlsplit(request.path)
        if self.status != HTTPStatus.OK:
            self.refusals += 1
            return socket.respond(self.status, "<html>of a proxy</html>")
        if parts.path == "/instruments":
            self.downloads += 1
            while not self.listing.is_set():
                await asyncio.sleep(0.005)
            given = request.headers.get("Authorization", "")
            if given != f"token {API_KEY}:{self.token}":
                return self._refuse(socket)
            body = self.market.instruments() if self.list_body is None else self.list_body
            headers = Headers({"Content-Type": "text/csv", "Content-Encoding": "gzip"})
            headers["Date"] = formatdate(time.time() + self.ahead_s, usegmt=True)
            headers["Transfer-Encoding"] = "chunked"  # so a server answers that compresses on the way
            return Response(HTTPStatus.OK, "OK", headers, _chunked(gzip.compress(body)))
        query = parse_qs(parts.query)
        if query.get("api_key") != [API_KEY] or query.get("access_token") != [self.token]:
            return self._refuse(socket)
        if len(self.clients) >= self.most_connections:
            self.refusals += 1
            return socket.respond(HTTPStatus.TOO_MANY_REQUESTS, "")
        return None

    def _refuse(self, socket: ServerConnection) -> Response:
        self.refusals += 1
        error = {"status": "error", "message": "Incorrect `api_key` or `access_token`.", "data": None}
        return socket.respond(HTTPStatus.FORBIDDEN, json.dumps(error | {"error_type": "TokenException"}))

    async def serve(self, socket: ServerConnection) -> None:
        """Serve one connection until it ends."""
        client = Client(socket)
        self.clients.append(client)
        self.connections += 1
        beat = asyncio.create_task(self._beat(socket))
        try:
            await socket.send(json.dumps({"type": "instruments_meta", "data": {"count": 1, "etag": "x"}}))
            async for request in socket:
                if isinstance(request, str):  # Kite does not read binary requests
                    await self._asked(client, json.loads(request))
        except ConnectionClosed:
            pass
        finally:
            beat.cancel()
            self.clients.remove(client)

    async def _asked(self, client: Client, request: dict[str, Any]) -> None:
        self.requests.append(request)
        if request["a"] == "subscribe":
            client.modes |= {token: client.modes.get(token, "quote") for token in request["v"]}
            await self._send(client, request["v"])
        elif request["a"] == "mode":
            mode, tokens = request["v"]
            client.modes |= dict.fromkeys(tokens, mode)
            await self._send(client, tokens)
        elif request["a"] == "unsubscribe":
            for token in request["v"]:
                client.modes.pop(token, None)

    async def _beat(self, socket: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            while True:
                await socket.send(b"\0")
                await asyncio.sleep(_HEARTBEAT_S)


def _chunked(body: bytes, size: int = 1000) -> bytes:
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (*pieces, b""))


def _now_s() -> int:
    return int(time.time())


@contextmanager
def running(
    market: KiteMarket, tls: ssl.SSLContext | None = None, listener: socket.socket | None = None
) -> Iterator[FakeKite]:
    """Run a fake Kite on `listener`, or on a free port of the loopback interface.

    With `tls` it serves https and wss only.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="fake-kite", daemon=True)
    thread.start()

    def call(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        return asyncio.run_coroutine_threadsafe(work(), loop).result(timeout=20)

    fakes: list[FakeKite] = []

    async def start() -> Server:
        server = await serve(
            lambda socket: fakes[0].serve(socket),
            sock=listener or socket.create_server(("127.0.0.1", 0)),
            process_request=lambda socket, request: fakes[0].answer(socket, request),
            max_size=None,
            ssl=tls,
        )
        fakes.append(FakeKite(market, loop, server, tls is not None))
        return server

    async def stop(server: Server) -> None:
        server.close()
        await server.wait_closed()

    server = call(start)
    try:
        yield fakes[0]
    finally:
        call(lambda: stop(server))
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=20)
        loop.close()
