"""The market messages of services/contracts, as the sources build them: without mid, replay and sent_ts.

The publisher inserts these three fields at the front of the encoded body (`stamp`). A body is thus encoded
once, and the bodies of two runs can be compared byte by byte. An optional member that is UNSET is left out.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from feed_generator.domain.terms import Terms

Kind = Literal["underlying", "option_quote", "option_chain"]


class UnderlyingTruth(msgspec.Struct):
    """The volatility and the drift of the simulated price, both annualised."""

    volatility: float
    drift: float


class Underlying(msgspec.Struct, tag_field="kind", tag="underlying"):
    """The message market-underlying. `ts` is in ns since the epoch."""

    feed: str
    product: str
    ts: int
    price: float
    truth: UnderlyingTruth | None


class QuoteTruth(msgspec.Struct):
    """The forward, discount factor, volatility and unrounded price that the market was simulated with."""

    forward: float
    discount: float
    iv: float
    price: float


class Vendor(msgspec.Struct):
    """Values that the source itself publishes for a contract. iv is annualised: 0.65 = 65 %."""

    iv: float | UnsetType = UNSET
    delta: float | UnsetType = UNSET
    gamma: float | UnsetType = UNSET
    vega: float | UnsetType = UNSET
    theta: float | UnsetType = UNSET
    forward: float | UnsetType = UNSET


class OptionQuote(msgspec.Struct, tag_field="kind", tag="option_quote"):
    """The message market-option_quote. Sizes, volume and open interest are in `oi_unit`."""

    feed: str
    product: str
    ts: int
    symbol: str
    expiry: str
    expiry_ts: int
    exercise: str
    strike: float
    option_type: str
    spot_price: float
    lot_size: int
    oi_unit: str
    bid: float
    ask: float
    last: float
    bid_size: float
    ask_size: float
    volume: float
    open_interest: float
    truth: QuoteTruth | None
    settlement_session: str | UnsetType = UNSET
    settlement_currency: str | UnsetType = UNSET
    price_unit: str | UnsetType = UNSET
    multiplier: float | UnsetType = UNSET
    quote_age_ms: float | UnsetType = UNSET
    vendor: Vendor | UnsetType = UNSET


class Legs(msgspec.Struct):
    """The calls or the puts of a chain as columns. Each list has one entry for each strike."""

    bid: list[float] = []
    ask: list[float] = []
    last: list[float] = []
    bid_size: list[float] = []
    ask_size: list[float] = []
    volume: list[float] = []
    open_interest: list[float] = []
    previous_close: list[float] = []
    previous_open_interest: list[float | None] = []
    quote_age_ms: list[float | None] | UnsetType = UNSET
    vendor_iv: list[float | None] | UnsetType = UNSET
    vendor_delta: list[float | None] | UnsetType = UNSET


LEG_COLUMNS = tuple(name for name in Legs.__struct_fields__ if getattr(Legs(), name) is not UNSET)
"""The columns that each leg must have. The others are optional."""


class ChainTruth(msgspec.Struct):
    """The forward, discount factor and volatility by strike that the chain was simulated with."""

    forward: float
    discount: float
    iv: list[float]


class OptionChain(msgspec.Struct, tag_field="kind", tag="option_chain"):
    """The message market-option_chain: one expiry as columns."""

    feed: str
    product: str
    ts: int
    expiry: str
    expiry_ts: int
    exercise: str
    spot_price: float
    lot_size: int
    oi_unit: str
    strikes: list[float]
    calls: Legs
    puts: Legs
    truth: ChainTruth | None
    settlement_session: str | UnsetType = UNSET
    settlement_currency: str | UnsetType = UNSET
    price_unit: str | UnsetType = UNSET
    multiplier: float | UnsetType = UNSET
    vendor_forward: float | UnsetType = UNSET


def stated_terms(terms: Terms) -> dict[str, Any]:
    """Return the optional members of a message that say more about the contract than is usual."""
    stated: dict[str, Any] = {}
    if terms.settlement_session != "close":
        stated["settlement_session"] = terms.settlement_session
    if terms.multiplier is not None:
        stated["multiplier"] = terms.multiplier
    return stated


class Message(msgspec.Struct, frozen=True):
    """An encoded body. `symbol` names the contract of a quote, which later quotes may replace; else None."""

    kind: Kind
    symbol: str | None
    body: bytes


_encode = msgspec.json.Encoder().encode


def underlying(tick: Underlying) -> Message:
    """Encode a tick."""
    return Message("underlying", None, _encode(tick))


def option_quote(quote: OptionQuote) -> Message:
    """Encode a quote."""
    return Message("option_quote", quote.symbol, _encode(quote))


def option_chain(chain: OptionChain) -> Message:
    """Encode a chain."""
    return Message("option_chain", None, _encode(chain))


def stamp(body: bytes, mid: str, replay: int, sent_ns: int) -> bytes:
    """Return the complete message: `body` with the publisher's three fields at its front."""
    return b'{"mid":"%b","replay":%d,"sent_ts":%d,%b' % (mid.encode(), replay, sent_ns, body[1:])


def symbol(product: str, expiry: str, option_type: str, strike: float) -> str:
    """Return a contract's symbol, such as "NIFTY20240627C23500".

    It consists of product, expiry as YYYYMMDD, C or P, and the strike without trailing zeros.
    """
    number = str(int(strike)) if strike == int(strike) else repr(strike)
    return f"{product}{expiry.replace('-', '')}{option_type[0]}{number}"
