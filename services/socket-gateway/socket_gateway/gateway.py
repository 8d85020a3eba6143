"""The Socket.IO protocol: handle clients' connections and requests, and pass them to the hub."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import gevent
import socketio
import structlog

from socket_gateway import metrics
from socket_gateway.access import Access, Identity
from socket_gateway.cache import Cache
from socket_gateway.chassis import log_setup
from socket_gateway.client import Client
from socket_gateway.config import Settings
from socket_gateway.errors import (
    BadRequest,
    GatewayError,
    RateLimited,
    Refused,
    TooManySubscriptions,
    UnknownEvent,
)
from socket_gateway.hub import Hub
from socket_gateway.limits import TokenBucket
from socket_gateway.relay import Relay
from socket_gateway.requests import GENERAL, parse_target
from socket_gateway.transport import CLIENT_EVENT, Transport, event_packet

_MAX_REFUSED = 100  # consecutive refused requests after which a client is disconnected
_FLUSH_S = 1.0  # seconds in which a disconnected client can receive its last packets
_log = structlog.get_logger("gateway")


class Gateway:
    """Handlers of the namespace `/`. Every client that the server disconnects goes through `end`."""

    def __init__(
        self, settings: Settings, sio: socketio.Server, access: Access, hub: Hub, relay: Relay, cache: Cache
    ) -> None:
        self._settings, self._sio, self._access = settings, sio, access
        self._hub, self._relay, self._cache = hub, relay, cache
        self._clients: dict[str, Client] = {}
        self._expiries: dict[str, gevent.Greenlet] = {}
        self._closing = False
        metrics.WAITING.set_function(lambda: sum(client.waiting for client in self._clients.values()))
        sio.on("connect", self.connect)
        sio.on("disconnect", self.disconnect)
        self._requests: dict[str, Callable[..., None]] = {
            "subscribe": self.subscribe,
            "unsubscribe": self.unsubscribe,
            "get_products": self.get_products,
        }
        sio.on(CLIENT_EVENT, self.request)

    def knows(self, engine_sid: str) -> bool:
        """Return whether an engine.io connection belongs to an accepted client."""
        return self._sio.manager.sid_from_eio_sid(engine_sid, "/") in self._clients

    def connect(self, sid: str, environ: dict[str, Any], auth: Any = None) -> None:
        """Accept a client, or refuse it with a reason (Socket.IO's connect_error)."""
        log_setup.bind_request(lambda name: environ.get("HTTP_" + name.upper().replace("-", "_")))
        try:
            identity = self._identify(environ, auth)
        except Refused as refusal:
            metrics.REFUSED.labels(refusal.code).inc()
            _log.info("refused", code=refusal.code)
            raise socketio.exceptions.ConnectionRefusedError(
                refusal.message, {"code": refusal.code, "message": refusal.message}
            ) from refusal
        engine_sid = self._sio.manager.eio_sid_from_sid(sid, "/")
        client = self._new_client(sid, Transport(self._sio.eio.sockets[engine_sid]))
        self._clients[sid] = client
        metrics.CLIENTS.set(len(self._clients))
        if identity.until_s is not None:
            left_s = max(0.0, identity.until_s - time.time())
            self._expiries[sid] = gevent.spawn_later(left_s, self._expired, client)
        seq = self._hub.join(client, GENERAL)
        hello = {"message": "Connected to DeltaStream", "client_id": sid, "rooms": [GENERAL], "seq": seq}
        client.send_event("connected", hello)
        client.start(lambda: bool(self._sio.manager.is_connected(sid, "/")))
        _log.info("connected", sid=sid, subject=identity.subject or "anonymous")

    def disconnect(self, sid: str, reason: str) -> None:
        """Remove a client that has disconnected."""
        client = self._clients.pop(sid, None)
        if client is None:
            return
        client.stop()
        self._hub.remove(client)
        expiry = self._expiries.pop(sid, None)
        if expiry is not None and expiry is not gevent.getcurrent():
            expiry.kill(block=False)
        metrics.CLIENTS.set(len(self._clients))
        _log.info("disconnected", sid=sid, reason=reason)

    def request(self, sid: str, name: object, *data: Any) -> None:
        """Handle an event from a client. A failure is sent as `error`, and the connection stays open."""
        client = self._clients.get(sid)
        if client is None:
            return
        try:
            if not client.bucket.take():
                raise RateLimited("too many requests: slow down")
            handler = self._requests.get(name) if isinstance(name, str) else None
            if handler is None:
                raise UnknownEvent("known events: subscribe, unsubscribe, get_products")
            if len(data) > 1:
                raise BadRequest("an event has at most one payload")
            handler(client, *data)
        except RateLimited as error:
            if client.bucket.refused > _MAX_REFUSED:
                self._evict(client, error)
            else:
                client.send_event("error", _error_body(error))
        except GatewayError as error:
            client.send_event("error", _error_body(error))
        except Exception:
            _log.exception("handler_failed", sid=sid)
            client.send_event("error", _error_body(GatewayError("internal error of the gateway")))

    def subscribe(self, client: Client, data: Any = None) -> None:
        """Join a room and send its cached snapshot to this client only."""
        target = parse_target(data)
        if target.room not in client.rooms and len(client.rooms) > self._settings.max_subscriptions:
            raise TooManySubscriptions(f"at most {self._settings.max_subscriptions} subscriptions per client")
        seq = self._hub.join(client, target.room)
        answer = {"room": target.room, "message": f"Subscribed to {target.room}", "seq": seq}
        client.send_event("subscribed", answer)
        if target.kind != GENERAL:
            self._relay.snapshot(client, target)

    def unsubscribe(self, client: Client, data: Any = None) -> None:
        target = parse_target(data)
        self._hub.leave(client, target.room)
        client.send_event(
            "unsubscribed", {"room": target.room, "message": f"Unsubscribed from {target.room}"}
        )

    def get_products(self, client: Client, _data: Any = None) -> None:
        client.send_event("products", {"products": self._cache.products()})

    def close_all(self, within_s: float) -> None:
        """Stop accepting clients and disconnect all of them within `within_s` seconds."""
        self._closing = True
        ending = [gevent.spawn(self.end, client) for client in list(self._clients.values())]
        gevent.joinall(ending, timeout=within_s)

    def end(self, client: Client, error: GatewayError | None = None) -> None:
        """Disconnect a client. If it still receives, it gets `error` first."""
        client.stop()
        self._hub.remove(client)
        if error is not None:
            client.wire.send(_error_packet(error))
        self._sio.disconnect(client.sid)
        client.wire.close(_FLUSH_S)

    def _identify(self, environ: dict[str, Any], auth: Any) -> Identity:
        if self._closing:
            raise Refused("shutting_down", "the server is stopping: connect again")
        identity = self._access.admit(environ, auth)  # NB: may wait for keys, so count the clients after it
        if len(self._clients) >= self._settings.max_clients:
            raise Refused("server_full", "too many clients: try again later")
        return identity

    def _new_client(self, sid: str, wire: Transport) -> Client:
        settings = self._settings
        return Client(
            sid,
            wire,
            TokenBucket(settings.request_rate, settings.request_burst),
            self._slow,
            window=settings.send_window,
            outbox_limit=settings.outbox_limit,
            slow_s=settings.slow_client_seconds,
        )

    def _slow(self, client: Client) -> None:
        self._evict(client, _Ended("slow_client", "the connection does not keep up: connect again"))

    def _expired(self, client: Client) -> None:
        self._evict(client, _Ended("token_expired", "the token has expired: connect with a new one"))

    def _evict(self, client: Client, error: GatewayError) -> None:
        if client.sid in self._clients:
            metrics.EVICTIONS.labels(error.code).inc()
            _log.info("pushed_out", sid=client.sid, code=error.code)
            client.stop()
            gevent.spawn(self.end, client, error)  # NB: the caller may be the hub iterating over its members


class _Ended(GatewayError):
    """The reason for which the server disconnects a client."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def _error_body(error: GatewayError) -> dict[str, str]:
    return {"message": error.message, "code": error.code}


def _error_packet(error: GatewayError) -> object:
    return event_packet("error", _error_body(error))
