"""Build the generator from its settings and run it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence

import redis

from feed_generator.adapters.redis_stream import RedisStream, connect
from feed_generator.buffer import Buffer
from feed_generator.chassis import log_setup
from feed_generator.chassis.health import Health
from feed_generator.config import Settings
from feed_generator.domain.definitions import DefinedProduct
from feed_generator.domain.rulebook import all_rules, rules
from feed_generator.domain.shards import products_of
from feed_generator.domain.terms import Terms
from feed_generator.errors import FeedError, UnknownProduct
from feed_generator.live.check import SourceCheck
from feed_generator.live.check import check as prove
from feed_generator.live.deribit.exchange import Deribit
from feed_generator.live.deribit.market import belongs
from feed_generator.live.kite import account, connections
from feed_generator.live.kite.desk import Desk, Wanted
from feed_generator.live.market import LiveMarket, live_market
from feed_generator.live.report import Reporter
from feed_generator.live.source import Inbox, LiveSource
from feed_generator.live.thread import SessionThread
from feed_generator.live.transport import websocket
from feed_generator.publisher import Publisher
from feed_generator.sources import recording
from feed_generator.sources.base import EmptySource, Source
from feed_generator.sources.replay import Replay
from feed_generator.sources.synthetic import SyntheticMarket

VERSION = os.environ.get("VERSION", "0.1.0")
_STALLED_AFTER_S = 30.0


def source(settings: Settings, start_ns: int) -> Source:
    """Return the source for this shard's products.

    `start_ns` is the first event time of a synthetic market, in ns since the epoch. Raises FeedError.
    """
    ours = products_of(settings.product_list, index=settings.shard_index, count=settings.shard_count)
    if settings.source == "replay":
        (product,) = settings.product_list
        terms = _terms(settings, product)
        snapshots = recording.read(settings.replay_path or "", settings.replay_as_of, product)
        if not ours:
            return EmptySource()
        return Replay(
            feed=settings.feed,
            terms=terms,
            snapshots=snapshots,
            speed_percent=settings.speed_percent,
            interval_ns=settings.replay_interval_millis * 1_000_000,
            forever=settings.replay_loop == "Forever",
        )
    known = all_rules(settings.product_list)
    if not ours:
        return EmptySource()
    return SyntheticMarket(
        feed=settings.feed,
        rules=[known[name] for name in ours],
        seed=settings.seed,
        start_ns=start_ns,
        # Products share the feed's rate equally, so the number of shards does not change a product's rate.
        messages_per_second=settings.messages_per_second * len(ours) / len(known),
        speed_percent=settings.speed_percent,
    )


def live(settings: Settings) -> LiveMarket | None:
    """Return the live market of this shard's products, not started; None if the source is not live."""
    ours = products_of(settings.product_list, index=settings.shard_index, count=settings.shard_count)
    if settings.source == "deribit":
        return _deribit(settings, ours)
    return _kite(settings, ours) if settings.source == "kite" else None


def _deribit(settings: Settings, ours: Sequence[str]) -> LiveMarket:
    currencies = [one for one in settings.currency_list if any(belongs(product, one) for product in ours)]
    exchange = Deribit(
        ours,
        currencies,
        expiries=settings.deribit_expiries,
        strikes_per_side=settings.deribit_strikes_per_side,
    )
    return live_market(
        settings.feed,
        [(exchange, lambda: websocket(settings.deribit_url))] if ours else [],
        chain_interval_millis=settings.deribit_chain_interval_millis,
    )


def _kite(settings: Settings, ours: Sequence[str]) -> LiveMarket:
    files = settings.kite_api_key_file or "", settings.kite_access_token_file or ""
    wanted = Wanted(
        products=ours,
        expiries=settings.kite_expiries,
        connections=connections.allowed(settings.shard_index, settings.shard_count),
        url=settings.kite_url,
        api_url=settings.kite_api_url,
    )
    inbox = Inbox()
    desk = Desk(wanted, lambda: account.read(*files), inbox.put)
    source = LiveSource(settings.feed, inbox, chain_interval_millis=settings.kite_chain_interval_millis)
    return LiveMarket(source, inbox, desk.statuses if ours else (), SessionThread([desk]))


def check(settings: Settings) -> None:
    """Check settings and files without starting anything. Raises FeedError."""
    if live(settings) is None:
        source(settings, time.time_ns())


def check_source(settings: Settings, seconds: float) -> SourceCheck:
    """Connect to the live source and count what comes for some seconds. Raises FeedError if there is none."""
    market = live(settings)
    if market is None or not market.statuses:
        raise FeedError(f"SOURCE={settings.source}: is no live source, so there is nothing to connect to")
    return prove(market, feed=settings.feed, source=settings.source, seconds=seconds)


def _terms(settings: Settings, product: str) -> Terms:
    """Return the terms of a replayed product: the feed's definition, or else the rulebook's entry."""
    for definition in settings.definitions:
        if definition.product == product:
            return DefinedProduct(definition)
    try:
        return rules(product)
    except UnknownProduct as unknown:
        raise UnknownProduct(f"{unknown}; or define it in the feed (DEFINITIONS)") from None


def run(settings: Settings) -> int:
    """Publish until SIGTERM or SIGINT. Returns the exit code."""
    market = live(settings)
    made = market.source if market else source(settings, time.time_ns())
    log_setup.configure("feed-generator", VERSION, settings.log_level)
    stop = threading.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, lambda *_: stop.set())
    client = connect(settings.redis_url)
    health = Health("feed-generator", {"redis": client.ping}, stalled_after_s=_STALLED_AFTER_S)
    server = health.serve(settings.host, settings.port) if settings.port else None
    beat = health.beat
    if market and market.statuses:
        beat = _reporting(health, market, client, settings)
        market.thread.start()
    Publisher(
        made,
        RedisStream(client, settings.feed),
        Buffer(settings.buffer_bytes),
        high_water=settings.stream_high_water,
        stop=stop,
        beat=beat,
    ).run()
    if market and market.statuses:
        market.thread.stop()
    if server:
        server.shutdown()
    return 0


def _reporting(
    health: Health, market: LiveMarket, client: redis.Redis, settings: Settings
) -> Callable[[], None]:
    """Return the publisher's beat: it also reports the state of the live source."""
    reporter = Reporter(
        market, client, feed=settings.feed, shard=settings.shard_index, source=settings.source
    )

    def beat() -> None:
        health.beat()
        reporter.step()

    return beat
