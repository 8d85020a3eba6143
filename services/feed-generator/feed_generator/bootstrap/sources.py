"""Build the source of messages of this shard's products from the settings: a synthetic market or a replay."""

from __future__ import annotations

from collections.abc import Callable, Collection

from feed_generator.config import Settings
from feed_generator.domain.definitions import DefinedProduct
from feed_generator.domain.rulebook import all_rules, known_rules
from feed_generator.domain.shards import products_of
from feed_generator.domain.terms import Terms
from feed_generator.errors import BadRecording
from feed_generator.sources import loading, message_file
from feed_generator.sources.base import EmptySource, Source
from feed_generator.sources.formats.row import Told
from feed_generator.sources.message_replay import MessageReplay
from feed_generator.sources.recording import Snapshot
from feed_generator.sources.replay import Replay
from feed_generator.sources.synthetic import SyntheticMarket


def source(
    settings: Settings, start_ns: int, note: Callable[[str], None], beat: Callable[[], None] = lambda: None
) -> Source:
    """Return the source for this shard's products.

    `start_ns` is the first event time of a synthetic market, in ns since the epoch. `note` gets each sentence
    that the user has to know about a recording. `beat` is called while a long recording is read. Raises
    FeedError.
    """
    ours = products_of(settings.product_list, index=settings.shard_index, count=settings.shard_count)
    if settings.source == "replay":
        path = settings.replay_path or ""
        header = message_file.header_of(path)
        if header is not None:
            return _message_replay(settings, path, header, ours)
        return _replay(settings, path, ours, note, beat)
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


def _replay(
    settings: Settings,
    path: str,
    ours: Collection[str],
    note: Callable[[str], None],
    beat: Callable[[], None],
) -> Source:
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
    loaded = loading.load(path, settings.replay_format, told, terms, beat)
    for sentence in loaded.notes:
        note(sentence)
    span = settings.replay_span
    if not any(snapshot.ts in span for snapshot in loaded.snapshots):
        raise span.misses(path, loaded.first_ts, loaded.last_ts)

    def wanted(one: Snapshot) -> bool:
        return one.ts in span and one.product in ours

    if not any(map(wanted, loaded.snapshots)):
        return EmptySource()
    return Replay(
        feed=settings.feed,
        terms=terms,
        snapshots=loaded.snapshots,
        wanted=wanted,
        speed_percent=settings.speed_percent,
        interval_ns=settings.replay_interval_millis * 1_000_000,
        forever=settings.replay_loop == "Forever",
        span=(max(loaded.first_ts, span.first_ns), min(loaded.last_ts, span.last_ns)),
    )


def _message_replay(
    settings: Settings, path: str, header: message_file.Header, ours: Collection[str]
) -> Source:
    absent = sorted(set(settings.product_list) - set(header.products))
    if absent:
        rule = f"has no {', '.join(absent)}: the feed may list {', '.join(header.products)} (PRODUCTS)"
        raise BadRecording(path, 1, "products", rule)
    span = settings.replay_span

    products = frozenset(settings.product_list)
    found = message_file.read(path, span)
    if not any(one.ts in span and one.product in products for one in found):
        raise span.misses(path, header.first_ts, header.last_ts)
    if not ours:
        return EmptySource()
    mine = frozenset(ours)
    return MessageReplay(
        feed=settings.feed,
        read=lambda from_ns: message_file.read(path, span, from_ns),
        wanted=lambda one: one.ts in span and one.product in mine,
        span=(max(header.first_ts, span.first_ns), min(header.last_ts, span.last_ns)),
        speed_percent=settings.speed_percent,
        interval_ns=settings.replay_interval_millis * 1_000_000,
        forever=settings.replay_loop == "Forever",
    )
