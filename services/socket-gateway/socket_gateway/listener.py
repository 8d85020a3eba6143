"""Subscribe to the enriched channels in Redis, and detect and report every loss of the subscription."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable
from typing import Any, Protocol

import gevent
import redis
import structlog
from gevent.event import Event
from redis.backoff import NoBackoff
from redis.retry import Retry

from socket_gateway import metrics

CHANNELS = ("enriched:underlying", "enriched:option_chain")
_TICK_S = 1.0  # interval of the heartbeat while no message arrives
_PING_AFTER_S = 5.0  # silence after which the listener pings Redis
_LOST_AFTER_S = 15.0  # silence after which the connection counts as lost
_BACKOFF_CAP_S = 5.0
_TURN_S = 0.005  # longest time for which a burst keeps the other greenlets waiting

_log = structlog.get_logger("listener")


class MessageHandler(Protocol):
    """Receives the listener's messages (relay.Relay)."""

    def handle_message(self, channel: str, data: bytes) -> None:
        """Handle one message."""

    def recover_soon(self) -> None:
        """Recover after a possible loss of messages. Must not block: the listener's loop serves `barrier`."""


class Listener:
    """Passes every message of the enriched channels to a handler, in order.

    After a lost connection it reconnects with capped, jittered backoff and reports a gap: Pub/Sub stores no
    messages for a disconnected subscriber. redis-py's automatic reconnect is off, because it hides the gap.
    """

    def __init__(self, redis_url: str, uniform: Callable[[float, float], float] = random.uniform) -> None:
        self._client: Any = redis.Redis.from_url(
            redis_url,
            protocol=2,
            retry=Retry(NoBackoff(), 0),
            socket_connect_timeout=3,
            socket_timeout=5,
        )
        self._uniform = uniform
        self._stop = Event()
        self._pubsub: Any = None
        self._pongs: dict[bytes, Event] = {}
        self._tokens = itertools.count(1)
        self._yielded_at = 0.0
        self.subscribed = False

    def stop(self) -> None:
        self._stop.set()

    def check(self) -> None:
        """Readiness check: raise RuntimeError unless Redis has confirmed the subscription."""
        if not self.subscribed:
            raise RuntimeError("Redis has not confirmed the subscription")

    def barrier(self, within_s: float = 1.0) -> bool:
        """Wait until every message published before this call has been handled.

        Returns False if this is unknown after `within_s` seconds or because the connection is lost. Redis
        writes to a connection in order, so the reply to a PING follows all earlier messages.
        """
        token, answered = b"barrier-%d" % next(self._tokens), Event()
        self._pongs[token] = answered
        try:
            if not self.subscribed:
                return False
            self._pubsub.connection.send_command("PING", token, check_health=False)
            return bool(answered.wait(within_s))
        except (redis.RedisError, OSError, AttributeError):  # the connection was lost
            return False
        finally:
            del self._pongs[token]

    def run(self, handler: MessageHandler, beat: Callable[[], None]) -> None:
        """Listen until `stop()` is called. Calls `beat` at least every few seconds."""
        failures, was_subscribed = 0, False
        while not self._stop.is_set():
            try:
                self._subscribe(handler, beat)
                if was_subscribed:
                    metrics.RECONNECTS.inc()
                failures, was_subscribed, self.subscribed = 0, True, True
                _log.info("subscribed", channels=CHANNELS)
                handler.recover_soon()
                self._listen(handler, beat)
            except (redis.RedisError, OSError) as error:
                self.subscribed = False
                failures += 1
                pause_s = self._uniform(0.5, 1.0) * min(_BACKOFF_CAP_S, 0.1 * 2 ** min(failures, 10))
                _log.warning("subscription_lost", error=type(error).__name__, again_in_s=round(pause_s, 2))
                beat()  # NB: the process must not be restarted because Redis is down
                self._stop.wait(pause_s)
            finally:
                self.subscribed = False
                if self._pubsub is not None:
                    self._pubsub.close()
                    self._pubsub = None

    def _subscribe(self, handler: MessageHandler, beat: Callable[[], None]) -> None:
        self._pubsub = self._client.pubsub()
        self._pubsub.subscribe(*CHANNELS)
        confirmed = 0
        deadline = time.monotonic() + _PING_AFTER_S
        while confirmed < len(CHANNELS):
            message = self._pubsub.get_message(timeout=_TICK_S)
            if message is not None and message["type"] == "subscribe":
                confirmed += 1
            elif message is not None:
                self._handle(message, handler)
            elif time.monotonic() > deadline:
                raise redis.TimeoutError("Redis did not confirm the subscription in time")
            beat()

    def _listen(self, handler: MessageHandler, beat: Callable[[], None]) -> None:
        last_message_at = time.monotonic()
        while not self._stop.is_set():
            message = self._pubsub.get_message(timeout=_TICK_S)
            beat()
            now = time.monotonic()
            if message is not None:
                last_message_at = now
                self._handle(message, handler)
            elif now - last_message_at > _LOST_AFTER_S:
                raise redis.TimeoutError("Redis did not answer in time")
            elif now - last_message_at > _PING_AFTER_S:
                self._pubsub.connection.send_command("PING", "there?", check_health=False)

    def _handle(self, message: dict[str, Any], handler: MessageHandler) -> None:
        if message["type"] == "message":
            handler.handle_message(message["channel"].decode(), message["data"])
            # NB: yield to the clients' greenlets: a burst is read without waiting, and clients that keep up
            # would otherwise look slow and be conflated. Not after every message: a client's connection
            # writes the events of one turn in one system call.
            if time.monotonic() - self._yielded_at > _TURN_S:
                gevent.sleep(0)
                self._yielded_at = time.monotonic()
        elif message["type"] == "pong":
            waiting = self._pongs.get(message["data"])
            if waiting is not None:
                waiting.set()
        elif message["type"] == "subscribe":
            raise redis.ConnectionError("redis-py reconnected automatically: messages may be lost")
