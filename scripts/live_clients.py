"""Many Socket.IO clients in one process, on raw WebSockets, for `make bench-live`.

Commands arrive as lines on stdin; each is answered with one line on stdout. `start` sets the counters to
zero, `stop` answers with the counters as JSON, and the end of stdin ends the process. Before the first
command the process prints `ready`: every client is connected and has its subscriptions.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import socket
import sys
import time
from collections import Counter
from typing import Any

_UPGRADE = (
    b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
_SENT_AT = re.compile(rb'"sent_ts":(\d+)|"ts":(\d+)')
_DATA = (b'42["underlying_update"', b'42["chain_summary"', b'42["chain_update"')
_SLOW_BUFFER = 4096  # bytes of a slow reader's receive buffer


class Counters:
    """What the clients of this process have received since `clear`."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.deliveries = self.bytes = self.duplicates = self.missing = 0
        self.latencies_us: list[int] = []
        self.others: Counter[str] = Counter()

    def summary(self) -> dict[str, Any]:
        """Return the counters, with latencies in milliseconds."""
        seen = sorted(self.latencies_us)
        p50, p99 = (seen[int(len(seen) * q)] / 1000 if seen else None for q in (0.5, 0.99))
        names = ("deliveries", "bytes", "duplicates", "missing")
        return {**{n: getattr(self, n) for n in names}, "p50_ms": p50, "p99_ms": p99, "others": self.others}


class Client(asyncio.Protocol):
    """One client. It counts events, and the numbers of each room that come twice or not at all.

    A frame is not decoded: the time is the first number named `ts` or `sent_ts` in it, the room and its
    number are at its end. A slow client stops reading once it has its subscriptions.
    """

    transport: asyncio.Transport

    def __init__(self, counters: Counters, rooms: list[dict[str, str]], *, slow: bool) -> None:
        self._counters, self._rooms, self._slow = counters, rooms, slow
        self._rest = b""
        self._seqs: dict[bytes, int] = {}
        self._parse = self._head
        self.joined: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        if self._slow:
            sock = transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SLOW_BUFFER)
        transport.write(_UPGRADE)

    def connection_lost(self, _error: Exception | None) -> None:
        if not self._slow:
            self._counters.others["disconnected"] += 1
        if not self.joined.done():
            self.joined.set_exception(ConnectionError("the gateway closed the connection"))

    def data_received(self, data: bytes) -> None:
        data = self._rest + data if self._rest else data
        self._rest = data[self._parse(data) :]

    def _head(self, data: bytes) -> int:
        end = data.find(b"\r\n\r\n") + 4
        if end < 4:
            return 0
        if not data.startswith(b"HTTP/1.1 101"):
            raise ConnectionError(data[:end].decode())
        self._parse = self._frames
        self._send("40")
        return end + self._frames(data[end:])

    def _frames(self, data: bytes) -> int:
        """Handle the whole frames in `data`. Returns their length in bytes."""
        now_us, at, size = time.time_ns() // 1000, 0, len(data)
        while size - at >= 2:
            length, start = data[at + 1], at + 2
            if length > 125:
                start += 2 if length == 126 else 8
                if start > size:
                    break
                length = int.from_bytes(data[at + 2 : start])
            if start + length > size:
                break
            at = start + length
            if data.startswith(_DATA, start):
                self._event(data, start, at, now_us)
            else:
                self._control(data[start:at])
        return at

    def _event(self, data: bytes, start: int, end: int, now_us: int) -> None:
        counters = self._counters
        counters.deliveries += 1
        counters.bytes += end - start
        sent = _SENT_AT.search(data, start, end)
        if sent:
            counters.latencies_us.append(now_us - int(sent[1] or sent[2]) // 1000)
        room_at, seq_at = data.rfind(b'"room":', start, end), data.rfind(b',"seq":', start, end)
        room, seq = data[room_at + 8 : seq_at - 1], int(data[seq_at + 7 : end - 2])
        self._count(room, seq)

    def _count(self, room: bytes, seq: int) -> None:
        last = self._seqs.get(room)
        if last is not None and seq != last + 1:
            if seq <= last:
                self._counters.duplicates += 1
            else:
                self._counters.missing += seq - last - 1
        self._seqs[room] = max(seq, last or 0)

    def _control(self, frame: bytes) -> None:
        if frame == b"2":
            self._send("3")
            return
        name = frame[4 : frame.find(b'"', 4)].decode() if frame.startswith(b'42["') else ""
        if name:
            self._counters.others[name] += 1
        if name in ("connected", "subscribed"):
            if self._rooms:
                self._send("42" + json.dumps(["subscribe", self._rooms.pop()]))
            else:
                self.joined.set_result(None)
                if self._slow:
                    self.transport.pause_reading()

    def _send(self, text: str) -> None:
        """Send a text frame of at most 125 bytes, with a mask of zeros."""
        body = text.encode()
        self.transport.write(bytes((0x81, 0x80 | len(body))) + bytes(4) + body)


async def connect(port: int, counters: Counters, rooms: list[dict[str, str]], *, slow: bool) -> Client:
    """Return a connected client that has joined `rooms`."""
    _, client = await asyncio.get_running_loop().create_connection(
        lambda: Client(counters, list(rooms), slow=slow), "127.0.0.1", port
    )
    await client.joined
    return client


async def serve(ports: list[int], rooms: list[list[str]], slow: int) -> None:
    """Connect a client for each item of `rooms`, to the gateways in turn, and obey stdin.

    An item lists the products whose chains the client subscribes to. The last `slow` clients do not read.
    """
    counters, loop = Counters(), asyncio.get_running_loop()
    opened = []
    for n, products in enumerate(rooms):
        targets = [{"type": "chain", "symbol": product} for product in products]
        is_slow = n >= len(rooms) - slow
        opened.append(await connect(ports[n % len(ports)], counters, targets, slow=is_slow))
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    print("ready", flush=True)
    while command := (await lines.readline()).strip():
        if command == b"start":
            counters.clear()
            print("started", flush=True)
        else:
            print(json.dumps(counters.summary()), flush=True)
    for client in opened:
        client.transport.abort()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("given", help="JSON: ports, rooms, slow (see serve)")
    given = json.loads(parser.parse_args().given)
    asyncio.run(serve(given["ports"], given["rooms"], given["slow"]))


if __name__ == "__main__":
    main()
