"""Build the generator from its settings and run it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import redis
import structlog

from feed_generator.adapters.redis_stream import RedisStream, connect
from feed_generator.bootstrap.live import live
from feed_generator.bootstrap.sources import source
from feed_generator.buffer import Buffer
from feed_generator.chassis import log_setup
from feed_generator.chassis.health import Health
from feed_generator.chassis.stop_signals import stop_event
from feed_generator.config import Settings
from feed_generator.domain.pressure import CONFLATE, PAUSE
from feed_generator.live.report import Reporter
from feed_generator.publisher import Publisher
from feed_generator.sources.base import Source
from feed_generator.sources.message_replay import MessageReplay
from feed_generator.sources.player import Player
from feed_generator.steering import Steering

VERSION = os.environ.get("VERSION", "0.1.0")
_STALLED_AFTER_S = 30.0


def check(settings: Settings, note: Callable[[str], None]) -> None:
    """Check settings and files without starting anything. `note` is as in `source`. Raises FeedError."""
    if live(settings) is None:
        source(settings, time.time_ns(), note)


def run(settings: Settings) -> int:
    """Publish until SIGTERM or SIGINT. Returns the exit code."""
    log_setup.configure("feed-generator", VERSION, settings.log_level)
    log = structlog.get_logger("feed-generator")
    market = live(settings)
    client = connect(settings.redis_url)
    health = Health("feed-generator", {"redis": client.ping}, stalled_after_s=_STALLED_AFTER_S)
    server = health.serve(settings.host, settings.port) if settings.port else None
    if market:
        made: Source = market.source
    else:  # after the probes are served, because a long recording takes minutes to check
        made = source(
            settings, time.time_ns(), lambda sentence: log.info("recording", note=sentence), health.beat
        )
    stop = stop_event()
    reporter = None
    if market:
        reporter = Reporter(
            market, client, feed=settings.feed, shard=settings.shard_index, source=settings.source
        )
        market.thread.start()

    def beat() -> None:
        health.beat()
        if reporter:
            reporter.step()

    Publisher(
        made,
        RedisStream(client, settings.feed),
        Buffer(settings.buffer_bytes),
        high_water=settings.stream_high_water,
        stop=stop,
        beat=beat,
        steer=_steering(made, client, settings),
        # A live market drops quotes when the enrichers lag. A recording can wait.
        pause_at=CONFLATE if isinstance(made, MessageReplay) else PAUSE,
    ).run()
    if market and reporter:
        market.thread.stop()
        reporter.withdraw()
    if server:
        server.shutdown()
    return 0


def _steering(made: Source, client: redis.Redis, settings: Settings) -> Callable[[int], None]:
    """Return what steers the source. Only a replay can be steered."""
    if not isinstance(made, Player):
        return lambda _: None
    return Steering(made, client, feed=settings.feed, shard=settings.shard_index).step
