"""Enrich a batch of messages. Pure functions: no I/O, so they can be tested and timed without stores.

The result, `results.Enriched`, describes all writes of the batch. `runner` executes them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np
from msgspec import UNSET

from worker_enricher.candles import bars
from worker_enricher.chassis.market_messages import (
    OPTIONAL,
    Legs,
    Message,
    OptionChain,
    OptionQuote,
    Underlying,
    optional_members,
)
from worker_enricher.domain.chain import enrich_chains
from worker_enricher.domain.chain_arrays import ChainColumns, LegColumns
from worker_enricher.domain.quotes import QuoteColumns, enrich_quotes
from worker_enricher.forwards import forwards_now
from worker_enricher.identity import Kind, cache_order, document_id, series, tick_order
from worker_enricher.results import Enriched, Forward, Latest
from worker_enricher.vendor import leg_differences, quote_difference

_NOT_STORED = ("type", "sent_ts")
_LEG_COLUMNS = ("bid", "ask", "last", "bid_size", "ask_size", "volume", "open_interest")
_ONLY_STORED_COLUMNS = ("previous_close", "previous_open_interest")
_PCR_FIELDS = (
    "pcr_oi",
    "pcr_volume",
    "pcr_oi_reason",
    "pcr_volume_reason",
    "total_call_oi",
    "total_put_oi",
    "total_call_volume",
    "total_put_volume",
)
_encode = msgspec.json.Encoder().encode


def enrich(
    messages: Sequence[Message], *, forwards: Mapping[tuple[str, str], Forward], now_ns: int
) -> Enriched:
    """Enrich a batch of messages in the order of the stream.

    `forwards`, by (product, expiry), are for quotes without an earlier chain in the batch. `now_ns` is the
    time of processing, in ns since the epoch.
    """
    result = Enriched()
    clock = _Clock(now_ns)
    made = _chains([m for m in messages if isinstance(m, OptionChain)], clock, result)
    quotes = [m for m in messages if isinstance(m, OptionQuote)]
    _quotes(quotes, list(forwards_now(messages, made, forwards)), clock, result)
    _ticks([m for m in messages if isinstance(m, Underlying)], clock, result)
    return result


class _Clock:
    """The time at which the batch is processed, formatted once for all messages."""

    def __init__(self, now_ns: int) -> None:
        self.processed_at = _instant(now_ns)
        self.processed_iso = _rfc3339(self.processed_at)

    def head(self, kind: str, message: Message) -> dict[str, Any]:
        """Return the first fields of every enriched message."""
        return {
            "type": kind,
            "mid": message.mid,
            "feed": message.feed,
            "product": message.product,
            "ts": message.ts,
            "sent_ts": message.sent_ts,
            "replay": message.replay,
            "timestamp": _rfc3339(_instant(message.ts)),
            "processed_at": self.processed_iso,
        }


def _instant(ts_ns: int) -> datetime:
    return datetime.fromtimestamp(ts_ns // 1_000_000 / 1000, UTC)


def _rfc3339(instant: datetime) -> str:
    return instant.isoformat(timespec="milliseconds")[:-6] + "Z"


def _emit(kind: Kind, message: Message, enriched: dict[str, Any], clock: _Clock, result: Enriched) -> bytes:
    body = _encode(enriched)
    result.published.append((kind, body))
    document: dict[str, Any] = {"_id": document_id(kind, message.feed, message.mid), **enriched}
    for name in _NOT_STORED:
        del document[name]
    document["timestamp"], document["processed_at"] = _instant(message.ts), clock.processed_at
    result.documents.setdefault(kind, []).append(document)
    return body


def _keep_latest(result: Enriched, candidate: Latest) -> None:
    key = (candidate.product, candidate.field)
    seen = result.latest.get(key)
    if seen is None or seen.order < candidate.order:
        result.latest[key] = candidate


def _index(message: Message, order: str, spot: float | None) -> dict[str, Any]:
    return {
        "feed": message.feed,
        "order": order,
        "ts": message.ts,
        "spot_price": spot,
        "forward": None,
        "discount": None,
    }


def _ticks(ticks: Sequence[Underlying], clock: _Clock, result: Enriched) -> None:
    for tick in ticks:
        enriched = {**clock.head("UNDERLYING_ENRICHED", tick), "price": tick.price}
        body = _emit("underlying", tick, enriched, clock, result)
        order = cache_order(tick.replay, tick.ts, tick.mid)
        index = _encode(_index(tick, order, tick.price))
        _keep_latest(result, Latest(tick.feed, tick.product, "underlying", order, index, body, None, ""))
    result.bars = bars((t.product, t.ts, t.price, tick_order(t.ts, t.mid)) for t in ticks)


def _chains(chains: Sequence[OptionChain], clock: _Clock, result: Enriched) -> list[Forward | None]:
    """Enrich the chains. Returns the forward of each."""
    newest: dict[tuple[str, str], str] = {}
    made: list[Forward | None] = []
    for chain, analytics in zip(chains, enrich_chains([_columns(chain) for chain in chains]), strict=True):
        enriched = clock.head("OPTION_CHAIN_ENRICHED", chain)
        enriched.update(
            expiry=chain.expiry,
            expiry_ts=chain.expiry_ts,
            exercise=chain.exercise,
            spot_price=chain.spot_price,
            lot_size=chain.lot_size,
            oi_unit=chain.oi_unit,
            **optional_members(chain),
            **analytics,
        )
        enriched["strikes"] = chain.strikes
        enriched["calls"] = _legs(chain.calls, analytics["calls"])
        enriched["puts"] = _legs(chain.puts, analytics["puts"])
        enriched["truth"] = msgspec.structs.asdict(chain.truth) if chain.truth else None
        body = _emit("option_chain", chain, enriched, clock, result)
        document = result.documents["option_chain"][-1]
        document["calls"] = _stored_legs(chain.calls, enriched["calls"])
        document["puts"] = _stored_legs(chain.puts, enriched["puts"])
        order = cache_order(chain.replay, chain.ts, chain.mid)
        index = _index(chain, order, chain.spot_price)
        index["series"] = series(chain)
        forward = None
        if enriched["forward"] is not None:
            index["forward"], index["discount"] = enriched["forward"], enriched["discount"]
            forward = Forward(enriched["forward"], enriched["discount"], chain.spot_price, index["series"])
            key = (chain.product, chain.expiry)
            if newest.get(key, "") < order:
                newest[key], result.forwards[key] = order, forward
        made.append(forward)
        pcr = {"product": chain.product, "expiry": chain.expiry}
        pcr |= {name: enriched[name] for name in (*_PCR_FIELDS, "ts", "timestamp")}
        place = f"chain:{chain.expiry}"
        values = (_encode(index), body, _encode(pcr))
        _keep_latest(result, Latest(chain.feed, chain.product, place, order, *values, index["series"]))
        for side in ("calls", "puts"):
            found = enriched[side].get("vendor_iv_difference", ())
            result.vendor_differences += [value for value in found if value is not None]
    return made


def _columns(chain: OptionChain) -> ChainColumns:
    return ChainColumns(
        ts=chain.ts,
        expiry_ts=chain.expiry_ts,
        european=chain.exercise == "European",
        spot=chain.spot_price,
        strikes=np.array(chain.strikes),
        calls=_leg_columns(chain.calls),
        puts=_leg_columns(chain.puts),
    )


def _leg_columns(legs: Legs) -> LegColumns:
    return LegColumns(
        bid=np.array(legs.bid),
        ask=np.array(legs.ask),
        last=np.array(legs.last),
        volume=np.array(legs.volume),
        open_interest=np.array(legs.open_interest),
        previous_close=np.array(legs.previous_close),
        previous_open_interest=np.array(legs.previous_open_interest, np.float64),
        quote_age_ms=None if legs.quote_age_ms is UNSET else np.array(legs.quote_age_ms, np.float64),
    )


def _legs(raw: Legs, computed: Mapping[str, Any]) -> dict[str, Any]:
    columns = {name: getattr(raw, name) for name in _LEG_COLUMNS}
    return {**columns, **optional_members(raw), **computed, **leg_differences(raw, computed["iv"])}


def _stored_legs(raw: Legs, enriched: Mapping[str, Any]) -> dict[str, Any]:
    """Return the columns of a document: with these, a stored chain can be replayed as it came."""
    return {**enriched, **{name: getattr(raw, name) for name in _ONLY_STORED_COLUMNS}}


def _quotes(
    quotes: Sequence[OptionQuote],
    found: Sequence[Forward | None],
    clock: _Clock,
    result: Enriched,
) -> None:
    if not quotes:
        return
    ages = [q.quote_age_ms for q in quotes]
    analytics = enrich_quotes(
        QuoteColumns(
            ts=np.array([q.ts for q in quotes]),
            expiry_ts=np.array([q.expiry_ts for q in quotes]),
            european=np.array([q.exercise == "European" for q in quotes]),
            is_call=np.array([q.option_type == "CALL" for q in quotes]),
            spot=np.array([q.spot_price for q in quotes]),
            strike=np.array([q.strike for q in quotes]),
            bid=np.array([q.bid for q in quotes]),
            ask=np.array([q.ask for q in quotes]),
            forward=np.array([np.nan if f is None else f.forward for f in found]),
            discount=np.array([1.0 if f is None else f.discount for f in found]),
            quote_age_ms=None
            if all(age is UNSET for age in ages)
            else np.array([np.nan if age is UNSET else age for age in ages]),
        )
    )
    columns: dict[str, Any] = dict(analytics)
    for row, (quote, forward) in enumerate(zip(quotes, found, strict=True)):
        enriched = clock.head("OPTION_QUOTE_ENRICHED", quote)
        for name in _QUOTE_FIELDS:
            enriched[name] = getattr(quote, name)
        if stated := optional_members(quote):
            enriched.update(stated)
        enriched["forward"] = forward.forward if forward else None
        enriched["discount"] = forward.discount if forward else None
        for name, values in columns.items():
            enriched[name] = values[row]
        if quote.vendor is not UNSET:
            enriched.update(quote_difference(quote.vendor, enriched["iv"]))
            difference = enriched.get("vendor_iv_difference")
            result.vendor_differences += [] if difference is None else [difference]
        _emit("option_quote", quote, enriched, clock, result)


_NOT_REPEATED = ("mid", "feed", "product", "ts", "sent_ts", "replay", "truth")
_QUOTE_FIELDS = tuple(
    name
    for name in OptionQuote.__struct_fields__
    if name not in _NOT_REPEATED and name not in OPTIONAL[OptionQuote]
)
