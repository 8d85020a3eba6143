"""Build the generator from its settings and run it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Collection, Sequence

import redis
import structlog

from feed_generator.adapters.redis_stream import RedisStream, connect
from feed_generator.buffer import Buffer
from feed_generator.chassis import log_setup
from feed_generator.chassis.health import Health
from feed_generator.config import Settings
from feed_generator.domain.definitions import DefinedProduct
from feed_generator.domain.rulebook import all_rules, known_rules
from feed_generator.domain.shards import products_of
from feed_generator.domain.terms import Terms
from feed_generator.errors import FeedError
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
from feed_generator.sources import loading
from feed_generator.sources.base import EmptySource, Source
from feed_generator.sources.formats.row import Told
from feed_generator.sources.replay import Replay
from feed_generator.sources.synthetic import SyntheticMarket

VERSION = os.environ.get("VERSION", "0.1.0")
_STALLED_AFTER_S = 30.0


def source(settings: Settings, start_ns: int, note: Callable[[str], None]) -> Source:
    """Return the source for this shard's products.

    `start_ns` is the first event time of a synthetic market, in ns since the epoch. `note` gets each sentence
    that the user has to know about a recording. Raises FeedError.
    """
    ours = products_of(settings.product_list, index=settings.shard_index, count=settings.shard_count)
    if settings.source == "replay":
        return _replay(settings, ours, note)
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


def check(settings: Settings, note: Callable[[str], None]) -> None:
    """Check settings and files without starting anything. `note` is as in `source`. Raises FeedError."""
    if live(settings) is None:
        source(settings, time.time_ns(), note)


def check_source(settings: Settings, seconds: float) -> SourceCheck:
    """Connect to the live source and count what comes for some seconds. Raises FeedError if there is none."""
    market = live(settings)
    if market is None or not market.statuses:
        raise FeedError(f"SOURCE={settings.source}: is no live source, so there is nothing to connect to")
    return prove(market, feed=settings.feed, source=settings.source, seconds=seconds)


def _replay(settings: Settings, ours: Collection[str], note: Callable[[str], None]) -> Source:
    defined = {one.product: DefinedProduct(one) for one in settings.definitions}
    terms: dict[str, Terms] = {**known_rules(settings.product_list), **defined}
    told = Told(
        as_of=settings.replay_as_of,
        spot=settings.replay_spot,
        expiry=settings.replay_expiry,
        products=tuple(settings.product_list),
        group_ns=None if settings.replay_group_millis is None else settings.replay_group_millis * 1_000_000,
        lots=loading.lots_of(terms),
    )
    loaded = loading.load(settings.replay_path or "", settings.replay_format, told, terms)
    for sentence in loaded.notes:
        note(sentence)
    snapshots = [snapshot for snapshot in loaded.snapshots if snapshot.product in ours]
    if not snapshots:
        return EmptySource()
    return Replay(
        feed=settings.feed,
        terms=terms,
        snapshots=snapshots,
        speed_percent=settings.speed_percent,
        interval_ns=settings.replay_interval_millis * 1_000_000,
        forever=settings.replay_loop == "Forever",
    )


def run(settings: Settings) -> int:
    """Publish until SIGTERM or SIGINT. Returns the exit code."""
    log_setup.configure("feed-generator", VERSION, settings.log_level)
    log = structlog.get_logger("feed-generator")
    market = live(settings)
    if market:
        made: Source = market.source
    else:
        made = source(settings, time.time_ns(), lambda sentence: log.info("recording", note=sentence))
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
