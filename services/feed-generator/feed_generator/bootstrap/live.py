"""Build the live market of this shard's products from the settings."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from feed_generator.config import Settings
from feed_generator.domain.shards import products_of
from feed_generator.errors import FeedError
from feed_generator.live.check import SourceCheck, check
from feed_generator.live.deribit.exchange import Deribit
from feed_generator.live.deribit.market import belongs
from feed_generator.live.inbox import Inbox
from feed_generator.live.kite import account, connections
from feed_generator.live.kite.desk import Desk, Wanted
from feed_generator.live.market import LiveMarket, live_market
from feed_generator.live.source import LiveSource
from feed_generator.live.status import Status
from feed_generator.live.thread import SessionThread
from feed_generator.live.transport import websocket


def live(settings: Settings) -> LiveMarket | None:
    """Return the live market of this shard's products, not started; None if the source is not live."""
    if settings.source not in ("deribit", "kite"):
        return None
    ours = products_of(settings.product_list, index=settings.shard_index, count=settings.shard_count)
    if not ours:
        return _idle(settings)
    return _deribit(settings, ours) if settings.source == "deribit" else _kite(settings, ours)


def _idle(settings: Settings) -> LiveMarket:
    """Return the market of a shard without products. It is well, so that the feed is: nothing misses it."""
    market = live_market(settings.feed, [], chain_interval_millis=1000)
    status = Status()
    status.ready("this generator has no product of the feed", time.time_ns())
    return replace(market, statuses=[status])


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
        [(exchange, lambda: websocket(settings.deribit_url, keyless=True))],
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
    source = LiveSource(settings.feed, inbox.take, chain_interval_millis=settings.kite_chain_interval_millis)
    return LiveMarket(source, inbox, desk.statuses, SessionThread([desk]))


def check_source(settings: Settings, seconds: float) -> SourceCheck:
    """Connect to the live source and count what comes for some seconds. Raises FeedError if there is none."""
    market = live(settings)
    if market is None:
        raise FeedError(f"SOURCE={settings.source}: is no live source, so there is nothing to connect to")
    return check(market, feed=settings.feed, source=settings.source, seconds=seconds)
