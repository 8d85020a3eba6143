"""Compare the redundant fields of a message, and refuse the message if they disagree.

Refusals have the reason `inconsistent` and name both values, whose length the contract's patterns limit. The
checks take one or two microseconds per message: except for lengths and the order of strikes, they read only a
few entries of each column.
"""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache
from itertools import pairwise

from msgspec import UNSET

from worker_enricher.errors import RefusedError
from worker_enricher.messages import Legs, OptionChain, OptionQuote

_HOUR_NS = 3600 * 10**9
_DECIMAL = re.compile(r"[0-9]{1,15}(\.[0-9]{1,15})?")
_EPOCH = date(1970, 1, 1).toordinal()
EARLIEST_NS, LATEST_NS = -3 * _HOUR_NS, 30 * _HOUR_NS
"""Earliest and latest settlement of a contract, relative to midnight UTC of its expiry date: 10:00 in
Auckland (UTC+13) and 20:00 in Honolulu (UTC-10)."""
CHAIN_RATIO = 10.0
"""Maximum ratio between the spot and a chain's nearest strike. A larger one means another unit or product."""
_TOO_FAR = f"more than {CHAIN_RATIO:g} times apart"
QUOTE_RATIO = 1000.0
"""Maximum ratio between the spot and a single quote's strike, which may be any strike of a chain."""
FORWARD_RATIO = 3.0
"""Maximum ratio between the spot and a forward: the one from put-call parity, or the one in `truth`."""
MAX_SKEW_NS = 300 * 10**9
PASSES = 1_000_000
"""Maximum number of passes over a recording in one epoch."""


def check_times(ts: int, sent_ts: int, replay: int, arrived_ns: int) -> None:
    """Check that a live event is sent after it happens and arrives after it is sent, within MAX_SKEW_NS.

    Times are in ns since the epoch. Raises RefusedError.
    """
    if not replay and ts - sent_ts > MAX_SKEW_NS:
        raise _differ("ts", ts, "sent_ts", sent_ts, "sent more than 300 s before the event")
    if sent_ts - arrived_ns > MAX_SKEW_NS:
        raise _differ("sent_ts", sent_ts, "its arrival", arrived_ns, "sent more than 300 s after its arrival")


def check_replay(mid: str, replay: int) -> None:
    """Check that a replay's number starts with the epoch of its `mid`. Raises RefusedError.

    Do not call it for a live market (0). The number is the first criterion in the order of the cache: one
    that is too large would hide every later message.
    """
    if f"{replay // PASSES}:" != mid[: mid.index(":") + 1]:
        raise _differ("replay", replay, "mid", mid, f"must be the epoch times {PASSES} plus the pass number")


def check_quote(quote: OptionQuote) -> None:
    """Check the symbol against its parts, the expiry date against its time, and the scale of the prices.

    Raises RefusedError.
    """
    _check_expiry(quote.expiry, quote.expiry_ts)
    right = quote.option_type[0]
    stem = f"{quote.product}{quote.expiry.replace('-', '')}{right}"
    strike = quote.symbol.removeprefix(stem)
    # A product's name may end like a date, so the rest of the symbol is not always a number.
    if strike == quote.symbol or not _DECIMAL.fullmatch(strike) or float(strike) != quote.strike:
        raise _differ("symbol", quote.symbol, "the symbol of its fields", f"{stem}{quote.strike:.15g}")
    _check_ratio("spot_price", quote.spot_price, "strike", quote.strike, QUOTE_RATIO)
    if quote.truth:
        _check_ratio("truth.forward", quote.truth.forward, "spot_price", quote.spot_price, FORWARD_RATIO)


def check_chain(chain: OptionChain) -> None:
    """Check the columns' lengths, the order of strikes, the expiry and the scale of the prices.

    Raises RefusedError.
    """
    _check_expiry(chain.expiry, chain.expiry_ts)
    strikes = chain.strikes
    size = len(strikes)
    for side, legs in (("calls", chain.calls), ("puts", chain.puts)):
        for column in Legs.__struct_fields__:
            values = getattr(legs, column)
            if values is not UNSET:
                _check_length(f"{side}.{column}", len(values), size)
    if chain.truth:
        _check_length("truth.iv", len(chain.truth.iv), size)
        _check_ratio("truth.forward", chain.truth.forward, "spot_price", chain.spot_price, FORWARD_RATIO)
    if any(low >= high for low, high in pairwise(strikes)):
        raise RefusedError("inconsistent", "$.strikes: not strictly ascending")
    if chain.spot_price > CHAIN_RATIO * strikes[-1]:
        raise _differ("spot_price", chain.spot_price, "the highest strike", strikes[-1], _TOO_FAR)
    if chain.spot_price < strikes[0] / CHAIN_RATIO:
        raise _differ("spot_price", chain.spot_price, "the lowest strike", strikes[0], _TOO_FAR)
    _check_parity(chain)


def _check_expiry(expiry: str, expiry_ts: int) -> None:
    midnight = _midnight_ns(expiry)
    if midnight is None:
        raise RefusedError("schema", "$.expiry: must be a calendar date")
    if not EARLIEST_NS <= expiry_ts - midnight <= LATEST_NS:
        raise _differ("expiry", expiry, "expiry_ts", expiry_ts, "no exchange settles at that time")


@lru_cache(maxsize=1024)
def _midnight_ns(expiry: str) -> int | None:
    """Return midnight UTC of the date, in ns since the epoch, or None if the date does not exist."""
    try:
        return (date.fromisoformat(expiry).toordinal() - _EPOCH) * 24 * _HOUR_NS
    except ValueError:
        return None


def _check_length(column: str, size: int, strikes: int) -> None:
    if size != strikes:
        raise RefusedError("inconsistent", f"$.{column}: has {size} entries, but strikes has {strikes}")


def _check_ratio(one: str, value: float, other: str, reference: float, ratio: float) -> None:
    if not reference <= value * ratio or not value <= reference * ratio:
        raise _differ(one, value, other, reference, f"more than {ratio:g} times apart")


def _check_parity(chain: OptionChain) -> None:
    """Compare the spot with the forwards that put-call parity gives at three strikes.

    Raises RefusedError if two or more of them are quoted and all are too far from the spot.
    """
    spot, calls, puts = chain.spot_price, chain.calls, chain.puts
    last = len(chain.strikes) - 1
    stated = []
    for i in {0, last // 2, last}:
        bid, ask, put_bid, put_ask = calls.bid[i], calls.ask[i], puts.bid[i], puts.ask[i]
        if not (0 < bid <= ask and 0 < put_bid <= put_ask):
            continue
        low, high = chain.strikes[i] + bid - put_ask, chain.strikes[i] + ask - put_bid
        if low <= spot * FORWARD_RATIO and high >= spot / FORWARD_RATIO:
            return
        stated.append(0.5 * (low + high))
    if len(stated) > 1:  # one pair alone may be stale
        raise _differ("spot_price", spot, "the forward by parity", stated[0], "more than 3 times apart")


def _differ(one: str, value: object, other: str, second: object, why: str = "they differ") -> RefusedError:
    return RefusedError("inconsistent", f"$.{one}: {value} and {other}: {second}: {why}")
