"""Build the Socket.IO gateway's objects from its settings and connect them."""

from __future__ import annotations

import logging
from functools import partial

import redis
import socketio
import structlog

from socket_gateway import __version__
from socket_gateway.access import AUDIENCE, Access
from socket_gateway.admission import Admission, not_found
from socket_gateway.cache import Cache
from socket_gateway.chassis import log_setup
from socket_gateway.chassis.bearer import Verifier
from socket_gateway.chassis.health import Health
from socket_gateway.config import Settings
from socket_gateway.gateway import Gateway
from socket_gateway.hub import Hub
from socket_gateway.listener import Listener
from socket_gateway.relay import Relay
from socket_gateway.server import Server
from socket_gateway.transport import ClientPacket, GatewayWebSocket, Limits

SERVICE = "socket-gateway"
_STALLED_AFTER_S = 20


def build(settings: Settings) -> Server:
    """A server that is ready to serve."""
    log_setup.configure(SERVICE, __version__, settings.log_level)
    if settings.anonymous_read:
        structlog.get_logger("bootstrap").warning("anonymous_read", detail="anyone may read live data")
    sio = _socketio_server(settings)
    hub = Hub()
    listener = Listener(settings.redis_url)
    cache = Cache(_cache_client(settings.redis_url))
    health = Health(
        SERVICE,
        {"redis": cache.ping, "subscription": listener.check},
        stalled_after_s=_STALLED_AFTER_S,
    )
    relay = Relay(hub, cache, listener.barrier)
    verifier = Verifier(f"{settings.auth_url.rstrip('/')}/.well-known/jwks.json", AUDIENCE)
    access = Access(verifier, anonymous=settings.anonymous_read)
    gateway = Gateway(settings, sio, access, hub, relay, cache)
    admission = Admission(settings, sio, gateway.knows)
    app = admission.middleware(socketio.WSGIApp(sio, not_found))
    listen = partial(listener.run, relay, health.beat)
    return Server(settings, sio, gateway, listener, listen, admission, health.middleware(app))


def _socketio_server(settings: Settings) -> socketio.Server:
    # NB: engineio logs every packet at INFO, and a traceback for every malformed packet at ERROR.
    quiet = logging.getLogger("engineio")
    quiet.setLevel(logging.CRITICAL)
    sio = socketio.Server(
        async_mode="gevent",
        async_handlers=False,  # keeps a client's requests in order; only its own greenlet waits
        serializer=ClientPacket,
        cors_allowed_origins=settings.allows_origin,
        transports=settings.transport_names,
        max_http_buffer_size=settings.max_payload_bytes,
        logger=quiet,
        engineio_logger=quiet,
    )
    Limits.max_message_bytes = settings.max_payload_bytes
    # Twice what the allowed requests and the pongs need: a client gets rate_limited errors before it is cut.
    Limits.reads_a_second = 50 + 8 * settings.request_rate
    Limits.reads_at_once = 1000 + 8 * settings.request_burst
    sio.eio._async = {**sio.eio._async, "websocket": GatewayWebSocket}
    return sio


def _cache_client(redis_url: str) -> redis.Redis:
    pool = redis.BlockingConnectionPool.from_url(
        redis_url, max_connections=16, timeout=2, socket_timeout=2, socket_connect_timeout=2
    )
    return redis.Redis(connection_pool=pool)
