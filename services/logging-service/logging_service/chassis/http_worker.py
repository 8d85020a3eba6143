"""A gunicorn worker that runs waitress' event loop: one thread reads requests, the other threads answer them.

Slow clients do not block other clients. Each phase of a connection has a deadline (http_connection.py). The
number of connections is limited, in total and by address. The memory of all connections together is limited.
"""

from __future__ import annotations

import logging
import os
import resource
import socket
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gunicorn.workers.base import Worker
from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.server import TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher

from .addresses import unmapped
from .http_connection import Channel
from .http_parser import MAX_HEAD_BYTES

MAX_BUFFERED_BYTES = 64 << 20  # unfinished requests and unsent responses of all connections
_PRIORITY_PATHS = ("/livez", "/metrics")  # have their own thread, to answer while all other threads are busy
_OTHER_FILES = 256  # connections to stores and other services, logs, listeners
_LINGER_S = 1.0  # for so long, a stopping worker still accepts requests on open connections


@dataclass(frozen=True)
class Bounds:
    """Maximum number of connections in total and per address (0: unlimited), and maximum size of a body.

    `larger_bodies` has the size for paths that begin with a prefix.
    """

    total: int
    per_address: int
    body_bytes: int
    larger_bodies: Mapping[str, int] = field(default_factory=dict)


class _Server(TcpWSGIServer):  # type: ignore[misc]
    """The listener and all its connections. Keeps their number and their memory within the limits."""

    channel_class = Channel
    stopping = False

    def __init__(self, app: Any, listener: socket.socket, bounds: Bounds, threads: int) -> None:
        self.bounds, self._shed = bounds, False
        self._priority_pool = ThreadedTaskDispatcher()
        self._priority_pool.set_thread_count(1)
        pool = ThreadedTaskDispatcher()
        pool.set_thread_count(threads)
        adj = Adjustments(
            sockets=[listener],
            threads=threads,
            ident="",
            clear_untrusted_proxy_headers=False,  # the application counts its proxies (ProxyFix)
            connection_limit=1 << 30,  # at waitress' limit the listener stops; at ours it evicts
            cleanup_interval=1,
            log_socket_errors=False,
            max_request_header_size=MAX_HEAD_BYTES,
            max_request_body_size=bounds.body_bytes + 1,
            # Never spill to files: a pod's root is read-only. MAX_BUFFERED_BYTES is the limit.
            inbuf_overflow=1 << 30,
            outbuf_overflow=1 << 30,
            outbuf_high_watermark=1 << 30,
        )
        adj.larger_bodies = bounds.larger_bodies
        family = (listener.family, listener.type, listener.proto, listener.getsockname())
        super().__init__(
            app, {}, True, listener, dispatcher=pool, adj=adj, sockinfo=family, bind_socket=False
        )

    def fix_addr(self, addr: Any) -> Any:
        """Return IPv4-mapped addresses as IPv4. The limits would count them as one IPv6 network."""
        return (unmapped(addr[0]), *addr[1:])

    def add_task(self, channel: Any) -> None:
        request = channel.requests[0]
        channel.requests_received += request.error is None
        priority = getattr(request, "path", "") in _PRIORITY_PATHS
        (self._priority_pool if priority else self.task_dispatcher).add_task(channel)

    def handle_accept(self) -> None:
        known = set(self.active_channels)
        super().handle_accept()
        for fileno in self.active_channels.keys() - known:
            self._enforce_limits(self.active_channels[fileno])

    def _enforce_limits(self, newest: Channel) -> None:
        everybody = list(self.active_channels.values())
        same = [one for one in everybody if one.network == newest.network]
        if 0 < self.bounds.per_address < len(same):
            _evict(same, newest)
        elif len(everybody) > self.bounds.total:
            _evict(everybody, newest)

    def maintenance(self, now: float) -> None:  # noqa: ARG002  # wall time, which may jump
        for channel in list(self.active_channels.values()):
            channel.check_deadline(time.monotonic())

    def readable(self) -> bool:
        if self._shed:
            self._shed = False
            self.shed()
        return bool(super().readable())

    def shed_soon(self) -> None:
        """Make the event loop's thread call `shed`. Any thread may call this."""
        self._shed = True
        self.pull_trigger()

    def shed(self) -> None:
        """Close connections until the memory of all is within MAX_BUFFERED_BYTES.

        The address that takes most memory loses its largest connection. By size alone, an address with many
        connections below the size of a normal request could keep all others from sending one.
        """
        held = {one: one.buffered_bytes() for one in self.active_channels.values()}
        total = sum(held.values())
        while total > MAX_BUFFERED_BYTES:
            of_address = Counter[str | None]()
            for channel, size in held.items():
                of_address[channel.network] += size
            heaviest = of_address.most_common(1)[0][0]
            largest = max((one for one in held if one.network == heaviest), key=lambda one: held[one])
            total -= held.pop(largest)
            largest.handle_close()

    def busy(self) -> bool:
        """Return whether a request is being answered."""
        return any(one.phase() in ("serving", "sending") for one in self.active_channels.values())

    def stop(self, within_s: float) -> Iterable[None]:
        """Accept no new connection and finish open requests, for up to `within_s` seconds.

        Yields after each step of the event loop, so that the caller can send gunicorn's heartbeat.
        """
        self.stopping = True
        self.del_channel()
        started = time.monotonic()
        while self.active_channels and (self.busy() or time.monotonic() - started < _LINGER_S):
            if time.monotonic() - started > within_s:
                break
            wasyncore.loop(timeout=0.1, use_poll=True, map=self._map, count=1)
            yield
        for dispatcher in (self.task_dispatcher, self._priority_pool):
            dispatcher.shutdown(timeout=0.1)


def _evict(candidates: list[Channel], newest: Channel) -> None:
    """Close the connection that has waited longest without a complete request.

    Connections that never sent a complete request go first. The newest connection goes only if all others are
    being answered: otherwise a client that opens every connection and stays silent would lock out all others.
    """
    waiting = [one for one in candidates if one is not newest and one.phase() not in ("serving", "sending")]
    victim = min(waiting, key=lambda one: (one.requests_received > 0, one.since), default=newest)
    victim.handle_close()


class HttpWorker(Worker):  # type: ignore[misc]
    """One gunicorn worker process. `bounds` come from the service's settings (gunicorn.conf.py)."""

    bounds = Bounds(total=512, per_address=128, body_bytes=64 << 10)
    _server: _Server | None = None

    @classmethod
    def bounded(
        cls, *, total: int, per_address: int, body_bytes: int, larger_bodies: Mapping[str, int] | None = None
    ) -> type[HttpWorker]:
        """Return a subclass with these limits. gunicorn creates the instance."""
        bounds = Bounds(total, per_address, body_bytes, larger_bodies or {})
        return type("HttpWorker", (cls,), {"bounds": bounds})

    def handle_exit(self, sig: int, frame: Any) -> None:
        super().handle_exit(sig, frame)
        if self._server is not None:
            self._server.pull_trigger()

    def run(self) -> None:
        logging.getLogger("waitress").setLevel(logging.ERROR)
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)  # it warns about each queued request
        # Without a free file descriptor, accept fails at once and the event loop spins.
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
