"""Response models for the OpenAPI document: the fields that clients may rely on.

The gateway does not enforce these models at run time. It passes upstream responses through unchanged, and the
tests of each upstream verify its responses. Every model allows additional fields.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from api_gateway.models import documented


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")


class FieldError(BaseModel):
    field: str = documented(description="The parameter or member.", example="limit")
    rule: str = documented(description="The violated rule.", example="Input should be a valid integer")


class Problem(Open):
    """An error (RFC 9457)."""

    type: str = documented(description="Type of the problem; about:blank if `code` identifies it.")
    title: str = documented(description="Reason phrase of the status.", example="Bad Request")
    status: int = documented(description="HTTP status.", example=400)
    detail: str = documented(description="Explanation for people.")
    code: str = documented(description="Stable error code for programs.", example="bad_input")
    request_id: str = documented(description="Request id in all logs (also the header X-Request-ID).")


class User(Open):
    id: str = documented(description="Account id.")
    email: str = documented(description="Email address.", example="test@example.com")
    roles: list[str] = documented(
        [], description="Roles: operator may change the feeds of a local run, ingest may push messages."
    )


class Session(Open):
    token: str = documented(description="Access token, valid 10 minutes: Authorization: Bearer <token>.")
    user: User


class Verified(Open):
    valid: bool = documented(description="Whether the token is valid.")


class Refreshed(Open):
    token: str = documented(description="A new access token.")


class Products(Open):
    products: list[str] = documented(description="Products with stored data.", example=["NIFTY", "BANKNIFTY"])


class Tick(Open):
    product: str = documented(description="Product symbol.", example="NIFTY")
    price: float = documented(description="Price, in the product's currency per share.", example=23501.1)
    timestamp: str = documented(description="Event time (RFC 3339, UTC).", example="2024-06-21T09:59:59.000Z")


class Ticks(Open):
    product: str = documented(description="Product symbol.", example="NIFTY")
    count: int = documented(description="Length of `ticks`.", example=1)
    ticks: list[Tick] = documented(description="Newest first, unless order=oldest.")
    next: str | None = documented(
        None, description="With order=oldest: the cursor of the next page; null behind the last."
    )


class Chain(Open):
    product: str = documented(description="Product symbol.", example="NIFTY")
    expiry: str = documented(description="Expiry date (YYYY-MM-DD).", example="2024-06-27")
    spot_price: float = documented(description="Price of the underlying, per share.", example=23501.1)
    pcr_oi: float | None = documented(None, description="Put/call ratio of open interest.", example=0.789)
    pcr_volume: float | None = documented(None, description="Put/call ratio of volume.", example=0.863)
    pcr_oi_reason: str | None = documented(None, description="Why pcr_oi is null.")
    pcr_volume_reason: str | None = documented(None, description="Why pcr_volume is null.")
    atm_strike: float | None = documented(None, description="At-the-money strike, per share.")
    atm_straddle_price: float | None = documented(
        None, description="Call plus put price at atm_strike, per share."
    )
    max_pain_strike: float | None = documented(
        None, description="Strike with the lowest total payout, per share."
    )
    max_pain_reason: str | None = documented(None, description="Why max_pain_strike is null.")
    settlement_session: str | None = documented(
        None, description="Whose price settles the contracts: open or close. Absent: close.", example="close"
    )
    multiplier: float | None = documented(
        None, description="Units of the underlying per contract. Absent: not stated.", example=100
    )
    price_unit: str | None = documented(
        None, description="Currency of all prices. Absent: the product's own.", example="USD"
    )
    vendor_forward: float | None = documented(None, description="The source's own forward. Absent: none.")
    total_call_oi: float | None = documented(None, description="Open interest of all calls, in oi_unit.")
    total_put_oi: float | None = documented(None, description="Open interest of all puts, in oi_unit.")
    calls: Any = documented(None, description="Calls, one row per strike.")
    puts: Any = documented(None, description="Puts, one row per strike.")
    timestamp: str = documented(description="Event time (RFC 3339, UTC).", example="2024-06-21T09:59:59.000Z")


class Chains(Open):
    product: str = documented(description="Product symbol.", example="NIFTY")
    count: int = documented(description="Length of `chains`.", example=1)
    chains: list[Chain] = documented(description="Newest first, unless order=oldest.")
    next: str | None = documented(
        None, description="With order=oldest: the cursor of the next page; null behind the last."
    )


class Expiries(Open):
    product: str = documented(description="Product symbol.", example="NIFTY")
    expiries: list[str] = documented(description="Expiry dates, ascending.", example=["2024-06-27"])


class Contracts(Open):
    product: str = documented(description="Product symbol.", example="NIFTY")
    contracts: list[str] = documented(description="Contract symbols, ascending.")


class Quote(Open):
    symbol: str = documented(description="Contract symbol.", example="NIFTY20240627C23500")
    bid: float | None = documented(None, description="Best bid, per share.", example=118.0)
    ask: float | None = documented(None, description="Best ask, per share.", example=118.5)
    iv: float | None = documented(
        None, description="Implied volatility at the mid, annualised.", example=0.1061
    )
    iv_reason: str | None = documented(None, description="Why iv is null.", example="stale")
    delta: float | None = documented(
        None, description="Change of the option price per unit change of the spot price."
    )
    vendor: Any = documented(None, description="Values that the source itself publishes. Absent: none.")
    vendor_iv_difference: float | None = documented(
        None, description="iv minus the source's own volatility; null if either is missing."
    )
    timestamp: str = documented(description="Event time (RFC 3339, UTC).", example="2024-06-21T09:59:59.000Z")


class Quotes(Open):
    symbol: str = documented(description="Contract symbol.", example="NIFTY20240627C23500")
    count: int = documented(description="Length of `quotes`.", example=1)
    quotes: list[Quote] = documented(description="Newest first, unless order=oldest.")
    next: str | None = documented(
        None, description="With order=oldest: the cursor of the next page; null behind the last."
    )


class Pcr(Open):
    product: str = documented(description="Product symbol.", example="NIFTY")
    latest: Any = documented(
        None,
        description="Latest ratios: a list with one entry per expiry, or one object if `expiry` is given.",
    )
    history: list[dict[str, Any]] = documented(
        [], description="Stored ratios, newest first; empty unless requested."
    )


class Smile(Open):
    expiry: str = documented(description="Expiry date (YYYY-MM-DD).", example="2024-06-27")
    strikes: list[float] = documented(description="Strikes, per share.", example=[23450.0, 23500.0])
    call_ivs: list[float | None] = documented(description="Implied volatilities of calls, annualised.")
    put_ivs: list[float | None] = documented(description="Implied volatilities of puts, annualised.")
    avg_iv: float | None = documented(
        None, description="Mean of the available volatilities, annualised.", example=0.1061
    )


class Surface(Open):
    product: str = documented(description="Product symbol.", example="NIFTY")
    expiries: list[Smile] = documented(description="One smile per expiry, ascending.")


class MaxPain(Open):
    product: str = documented(description="Product symbol.", example="NIFTY")
    expiry: str = documented(description="Expiry date (YYYY-MM-DD).", example="2024-06-27")
    max_pain_strike: float | None = documented(description="Strike with the lowest total payout, per share.")
    spot_price: float | None = documented(description="Price of the underlying, per share.", example=23501.1)
    distance_from_spot: float | None = documented(
        None, description="max_pain_strike - spot_price, per share."
    )
    distance_pct: float | None = documented(None, description="distance_from_spot in percent of spot_price.")


class OiBuildup(Open):
    product: str = documented(description="Product symbol.", example="NIFTY")
    expiry: str = documented(description="Expiry date (YYYY-MM-DD).", example="2024-06-27")
    spot_price: float | None = documented(None, description="Price of the underlying, per share.")
    call_buildup: dict[str, Any] = documented(description="Call open interest: itm, atm, otm; in oi_unit.")
    put_buildup: dict[str, Any] = documented(description="Put open interest: itm, atm, otm; in oi_unit.")


class Bars(Open):
    product: str = documented(description="Product symbol.", example="NIFTY")
    window_minutes: int = documented(description="Length of a bar, in minutes.", example=5)
    bars: list[dict[str, Any]] = documented(description="Newest first, unless order=oldest.")


class Ohlc(Open):
    product: str = documented(description="Product symbol.", example="NIFTY")
