"""What upstreams answer, for the document: the fields callers may rely on.

Only described here, never enforced at run time: an upstream's bytes pass through unchanged, and its own
tests keep its promise. Every model allows more fields than it names.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from api_gateway.models import said


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")


class FieldError(BaseModel):
    field: str = said(description="The parameter or member.", example="limit")
    rule: str = said(description="The rule it breaks.", example="Input should be a valid integer")


class Problem(Open):
    """An error (RFC 9457)."""

    type: str = said(description="Kind of problem; about:blank when `code` says it all.")
    title: str = said(description="The status in words.", example="Bad Request")
    status: int = said(description="HTTP status.", example=400)
    detail: str = said(description="What is wrong, for people.")
    code: str = said(description="What is wrong, for programs; stable.", example="bad_input")
    request_id: str = said(description="Id of the request in all logs (also the header X-Request-ID).")


class User(Open):
    id: str = said(description="Account id.")
    email: str = said(description="Address of the account.", example="test@example.com")


class Session(Open):
    token: str = said(description="Access token, valid 10 minutes: Authorization: Bearer <token>.")
    user: User


class Verified(Open):
    valid: bool = said(description="Whether the token holds.")


class Refreshed(Open):
    token: str = said(description="A new access token.")


class Products(Open):
    products: list[str] = said(description="Products with stored data.", example=["NIFTY", "BANKNIFTY"])


class Tick(Open):
    product: str = said(description="Product symbol.", example="NIFTY")
    price: float = said(description="Price, in the product's currency per share.", example=23501.1)
    timestamp: str = said(description="Event time (RFC 3339, UTC).", example="2024-06-21T09:59:59.000Z")


class Ticks(Open):
    product: str = said(description="Product symbol.", example="NIFTY")
    count: int = said(description="Length of `ticks`.", example=1)
    ticks: list[Tick] = said(description="Newest first.")


class Chain(Open):
    product: str = said(description="Product symbol.", example="NIFTY")
    expiry: str = said(description="Expiry date (YYYY-MM-DD).", example="2024-06-27")
    spot_price: float = said(description="Price of the underlying, per share.", example=23501.1)
    pcr_oi: float | None = said(None, description="Put over call open interest.", example=0.789)
    pcr_volume: float | None = said(None, description="Put over call volume.", example=0.863)
    atm_strike: float | None = said(None, description="Strike nearest the money, per share.")
    atm_straddle_price: float | None = said(None, description="Call plus put at atm_strike, per share.")
    max_pain_strike: float | None = said(None, description="Strike at which holders lose most, per share.")
    total_call_oi: int | None = said(None, description="Open interest of all calls, in oi_unit.")
    total_put_oi: int | None = said(None, description="Open interest of all puts, in oi_unit.")
    calls: Any = said(None, description="One row a strike, calls.")
    puts: Any = said(None, description="One row a strike, puts.")
    timestamp: str = said(description="Event time (RFC 3339, UTC).", example="2024-06-21T09:59:59.000Z")


class Chains(Open):
    product: str = said(description="Product symbol.", example="NIFTY")
    count: int = said(description="Length of `chains`.", example=1)
    chains: list[Chain] = said(description="Newest first.")


class Expiries(Open):
    product: str = said(description="Product symbol.", example="NIFTY")
    expiries: list[str] = said(description="Expiry dates, ascending.", example=["2024-06-27"])


class Quote(Open):
    symbol: str = said(description="Contract symbol.", example="NIFTY20240627C23500")
    bid: float | None = said(None, description="Best bid, per share.", example=118.0)
    ask: float | None = said(None, description="Best ask, per share.", example=118.5)
    iv: float | None = said(None, description="Implied volatility at the mid, annualised.", example=0.1061)
    delta: float | None = said(None, description="Change of the price per change of the spot.")
    timestamp: str = said(description="Event time (RFC 3339, UTC).", example="2024-06-21T09:59:59.000Z")


class Quotes(Open):
    symbol: str = said(description="Contract symbol.", example="NIFTY20240627C23500")
    count: int = said(description="Length of `quotes`.", example=1)
    quotes: list[Quote] = said(description="Newest first.")


class Pcr(Open):
    product: str = said(description="Product symbol.", example="NIFTY")
    latest: Any = said(
        None,
        description="Ratios per expiry (a list), or those of the expiry asked for (an object).",
    )
    history: list[dict[str, Any]] = said([], description="Stored ratios, newest first, if asked for.")


class Smile(Open):
    expiry: str = said(description="Expiry date (YYYY-MM-DD).", example="2024-06-27")
    strikes: list[float] = said(description="Strikes, per share.", example=[23450.0, 23500.0])
    call_ivs: list[float | None] = said(description="Implied volatilities of calls, annualised.")
    put_ivs: list[float | None] = said(description="Implied volatilities of puts, annualised.")
    avg_iv: float | None = said(None, description="Mean of those that exist, annualised.", example=0.1061)


class Surface(Open):
    product: str = said(description="Product symbol.", example="NIFTY")
    expiries: list[Smile] = said(description="By expiry, ascending.")


class MaxPain(Open):
    product: str = said(description="Product symbol.", example="NIFTY")
    expiry: str = said(description="Expiry date (YYYY-MM-DD).", example="2024-06-27")
    max_pain_strike: float | None = said(description="Strike at which holders lose most, per share.")
    spot_price: float | None = said(description="Price of the underlying, per share.", example=23501.1)
    distance_from_spot: float | None = said(None, description="max_pain_strike - spot_price, per share.")
    distance_pct: float | None = said(None, description="The same in percent of the spot.")


class OiBuildup(Open):
    product: str = said(description="Product symbol.", example="NIFTY")
    expiry: str = said(description="Expiry date (YYYY-MM-DD).", example="2024-06-27")
    spot_price: float | None = said(None, description="Price of the underlying, per share.")
    call_buildup: dict[str, Any] = said(description="Open interest of calls: itm, atm, otm; in oi_unit.")
    put_buildup: dict[str, Any] = said(description="Open interest of puts: itm, atm, otm; in oi_unit.")


class Ohlc(Open):
    product: str = said(description="Product symbol.", example="NIFTY")
