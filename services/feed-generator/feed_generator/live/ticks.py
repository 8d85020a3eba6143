"""What every exchange's decoder produces: listed contracts, quotes and spot prices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from feed_generator.messages import Vendor


class Contract(msgspec.Struct, frozen=True, gc=False):
    """A listed option. `expiry` is the date in the exchange's zone, `expiry_ts` the instant in ns.

    `multiplier`: units of the underlying per contract. `price_unit`: currency of the prices in its quotes.
    `settlement_currency`: currency in which it pays.
    """

    product: str
    symbol: str
    expiry: str
    expiry_ts: int
    strike: float
    option_type: Literal["CALL", "PUT"]
    exercise: Literal["European", "American"]
    lot_size: int
    oi_unit: Literal["shares", "contracts"]
    price_unit: str | UnsetType = UNSET
    settlement_currency: str | UnsetType = UNSET
    settlement_session: Literal["open", "close"] | UnsetType = UNSET
    multiplier: float | UnsetType = UNSET


class Quote(msgspec.Struct, frozen=True, gc=False):
    """A contract's state at `ts` (ns, the exchange's clock). Prices: 0 = none. Sizes are in its `oi_unit`.

    `previous_open_interest`: None if the exchange does not say it; then its change is unknown.
    """

    contract: Contract
    ts: int
    spot: float
    bid: float
    ask: float
    last: float
    bid_size: float
    ask_size: float
    volume: float
    open_interest: float
    previous_close: float = 0
    previous_open_interest: float | None = None
    vendor: Vendor | UnsetType = UNSET


class Spot(msgspec.Struct, frozen=True, gc=False):
    """The price of a product's underlying at `ts` (ns, the exchange's clock)."""

    product: str
    ts: int
    price: float


class Listing(msgspec.Struct, frozen=True):
    """All contracts of a product that are received from now on. It replaces the product's earlier listing."""

    product: str
    contracts: Sequence[Contract]


Tick = Quote | Spot | Listing
