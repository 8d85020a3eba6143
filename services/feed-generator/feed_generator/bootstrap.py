"""Build the generator's collaborators from the settings, and run it."""

from __future__ import annotations

import os
import signal
import threading
import time

from feed_generator.adapters.redis_stream import RedisStream, connect
from feed_generator.buffer import Buffer
from feed_generator.chassis import log_setup
from feed_generator.chassis.health import Health
from feed_generator.config import Settings
from feed_generator.domain.rulebook import rules
from feed_generator.domain.shards import products_of
from feed_generator.publisher import Publisher
from feed_generator.sources import recording
from feed_generator.sources.base import EmptySource, Source
from feed_generator.sources.replay import Replay
from feed_generator.sources.synthetic import SyntheticMarket

VERSION = os.environ.get("VERSION", "0.1.0")
_STALLED_AFTER_S = 30.0


def source(settings: Settings, start_ns: int) -> Source:
    """Return the source that the settings select, for this shard's products.

    `start_ns` is the start of market time, ns since the Unix epoch. Raises FeedError if a product, the
    rulebook or the recording is invalid.
    """
    known = {name: rules(name) for name in settings.product_list}
    ours = products_of(settings.product_list, index=settings.shard_index, count=settings.shard_count)
    if settings.source == "replay":
        (product,) = settings.product_list
        snapshots = recording.read(settings.replay_path or "", settings.replay_as_of, product)
        if not ours:
            return EmptySource()
        return Replay(
            feed=settings.feed,
            rules=known[ours[0]],
            snapshots=snapshots,
            speed_percent=settings.speed_percent,
            interval_ns=settings.replay_interval_millis * 1_000_000,
            forever=settings.replay_loop == "Forever",
        )
    if not ours:
        return EmptySource()
    return SyntheticMarket(
        feed=settings.feed,
        rules=[known[name] for name in ours],
        seed=settings.seed,
        start_ns=start_ns,
        # Every product gets an equal share of the feed's rate, so the number of shards does not change it.
        messages_per_second=settings.messages_per_second * len(ours) / len(known),
        speed_percent=settings.speed_percent,
    )


def run(settings: Settings) -> int:
    """Publish until SIGTERM or SIGINT. Returns the exit code. Raises FeedError like `source`."""
    made = source(settings, time.time_ns())
    log_setup.configure("feed-generator", VERSION, settings.log_level)
    stop = threading.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: stop.set())
    client = connect(settings.redis_url)
    health = Health("feed-generator", {"redis": client.ping}, stalled_after_s=_STALLED_AFTER_S)
    server = health.serve(settings.host, settings.port) if settings.port else None
    Publisher(
        made,
        RedisStream(client, settings.feed),
        Buffer(settings.buffer_bytes),
        high_water=settings.stream_high_water,
        stop=stop,
        beat=health.beat,
    ).run()
    if server:
        server.shutdown()
    return 0
