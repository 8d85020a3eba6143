"""gunicorn's process with waitress' loop: one thread reads whole requests, the others answer them.

Half requests and slow readers hold nobody up: each phase of a connection has a deadline (http_connection.py),
connections are counted in total and by address, and what they hold in memory has a bound.
"""

from __future__ import annotations

import logging
import os
import resource
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from gunicorn.workers.base import Worker
from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.server import TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher

from .addresses import unmapped
from .http_connection import Channel
from .http_parser import MAX_HEAD_BYTES

MAX_HELD_BYTES = 64 << 20  # half requests and answers not yet taken, of all connections
_AT_ONCE = ("/livez", "/metrics")  # have a thread of their own: they answer while all others are busy
_OTHER_FILES = 256  # connections to stores and other services, logs, listeners
_LINGER_S = 1.0  # a stopping worker still takes a request that is on its way


@dataclass(frozen=True)
class Bounds:
    """Most connections in total and from one address (0: no bound of its own), largest body."""

    total: int
    per_address: int
    body_bytes: int


class _Server(TcpWSGIServer):  # type: ignore[misc]
    """The listener and all of its connections."""

    channel_class = Channel
    stopping = False

    def __init__(self, app: Any, listener: socket.socket, bounds: Bounds, threads: int) -> None:
        self.bounds, self._shed = bounds, False
        self._at_once = ThreadedTaskDispatcher()
        self._at_once.set_thread_count(1)
        pool = ThreadedTaskDispatcher()
        pool.set_thread_count(threads)
        adj = Adjustments(
            sockets=[listener],
            threads=threads,
            ident="",
            clear_untrusted_proxy_headers=False,  # the application counts its proxies (ProxyFix)
            connection_limit=1 << 30,  # ours makes room instead of deafening the listener
            cleanup_interval=1,
            log_socket_errors=False,
            max_request_header_size=MAX_HEAD_BYTES,
            max_request_body_size=bounds.body_bytes + 1,
            # Nothing spills to files: a pod's root is read-only. MAX_HELD_BYTES is the bound.
            inbuf_overflow=1 << 30,
            outbuf_overflow=1 << 30,
            outbuf_high_watermark=1 << 30,
        )
        family = (listener.family, listener.type, listener.proto, listener.getsockname())
        super().__init__(
            app, {}, True, listener, dispatcher=pool, adj=adj, sockinfo=family, bind_socket=False
        )

    def fix_addr(self, addr: Any) -> Any:
        """IPv4 peers of a dual-stack socket as IPv4: limits must not count them as one IPv6 network."""
        return (unmapped(addr[0]), *addr[1:])

    def add_task(self, channel: Any) -> None:
        request = channel.requests[0]
        channel.taken += request.error is None
        at_once = getattr(request, "path", "") in _AT_ONCE
        (self._at_once if at_once else self.task_dispatcher).add_task(channel)

    def handle_accept(self) -> None:
        known = set(self.active_channels)
        super().handle_accept()
        for fileno in self.active_channels.keys() - known:
            self._make_room(self.active_channels[fileno])

    def _make_room(self, newest: Channel) -> None:
        everybody = list(self.active_channels.values())
        same = [one for one in everybody if one.network == newest.network]
        if 0 < self.bounds.per_address < len(same):
            _evict(same, newest)
        elif len(everybody) > self.bounds.total:
            _evict(everybody, newest)

    def maintenance(self, now: float) -> None:  # noqa: ARG002  # wall time, which may jump
        for channel in list(self.active_channels.values()):
            channel.look(time.monotonic())

    def readable(self) -> bool:
        if self._shed:
            self._shed = False
            self.shed()
        return bool(super().readable())

    def shed_soon(self) -> None:
        """Ask the loop's thread to `shed`."""
        self._shed = True
        self.pull_trigger()

    def shed(self) -> None:
        """Close who holds most until all together hold no more than they may."""
        held = {one: one.held_bytes() for one in self.active_channels.values()}
        total = sum(held.values())
        for channel in sorted(held, key=lambda one: held[one], reverse=True):
            if total <= MAX_HELD_BYTES:
                break
            total -= held[channel]
            channel.handle_close()

    def busy(self) -> bool:
        return any(one.phase() in ("serving", "sending") for one in self.active_channels.values())

    def stop(self, within_s: float) -> Iterable[None]:
        """Take no new connection, finish what was asked; yields between steps of the loop."""
        self.stopping = True
        self.del_channel()
        started = time.monotonic()
        while self.active_channels and (self.busy() or time.monotonic() - started < _LINGER_S):
            if time.monotonic() - started > within_s:
                break
            wasyncore.loop(timeout=0.1, use_poll=True, map=self._map, count=1)
            yield
        for dispatcher in (self.task_dispatcher, self._at_once):
            dispatcher.shutdown(timeout=0.1)


def _evict(candidates: list[Channel], newest: Channel) -> None:
    """Close who waits longest without a whole request, strangers first; the newest if all are served.

    The newest stays: else who holds every place in silence would keep everybody out.
    """
    waiting = [one for one in candidates if one is not newest and one.phase() not in ("serving", "sending")]
    victim = min(waiting, key=lambda one: (one.taken > 0, one.since), default=newest)
    victim.handle_close()


class HttpWorker(Worker):  # type: ignore[misc]
    """One process. `bounds` come from the service's settings (gunicorn.conf.py)."""

    bounds = Bounds(total=512, per_address=128, body_bytes=64 << 10)
    _server: _Server | None = None

    @classmethod
    def bounded(cls, *, total: int, per_address: int, body_bytes: int) -> type[HttpWorker]:
        """The class with these bounds; gunicorn makes the instance."""
        return type("HttpWorker", (cls,), {"bounds": Bounds(total, per_address, body_bytes)})

    def handle_exit(self, sig: int, frame: Any) -> None:
        super().handle_exit(sig, frame)
        if self._server is not None:
            self._server.pull_trigger()

    def run(self) -> None:
        logging.getLogger("waitress").setLevel(logging.ERROR)
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # a queue is no fault
        # A listener that finds no free descriptor would turn the loop into a busy one.
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = self.bounds.total + _OTHER_FILES
        if hard != resource.RLIM_INFINITY:
            wanted = min(wanted, hard)
        if resource.RLIM_INFINITY != soft < wanted:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        server = self._server = _Server(self.wsgi, self.sockets[0].sock, self.bounds, self.cfg.threads)
        while self.alive and self.ppid == os.getppid():
            self.notify()
            wasyncore.loop(timeout=1, use_poll=True, map=server._map, count=1)
        for _ in server.stop(self.cfg.graceful_timeout):
            self.notify()
