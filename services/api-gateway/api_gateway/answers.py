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


class Replicas(Open):
    desired: int | None = documented(
        description="Replicas that the operator decided; null before a decision."
    )
    ready: int = documented(description="Replicas that serve.", example=1)


class Condition(Open):
    type: str = documented(description="Type of the condition.", example="Ready")
    status: str = documented(description="True, False or Unknown.", example="True")
    reason: str = documented(description="Reason for the status, in one word.", example="Serving")
    message: str = documented(description="Explanation and what to do, for people.")
    last_transition: str = documented(description="Time of the last change of status (RFC 3339, UTC).")


class Decision(Open):
    time: str = documented(description="Time of the decision (RFC 3339, UTC).")
    component: str = documented(description="generator or enricher.", example="enricher")
    from_: int = documented(alias="from", description="Replicas before the decision.", example=1)
    to: int = documented(description="Replicas after the decision.", example=3)
    reason: str = documented(description="Reason, in one word.", example="BacklogCatchUp")
    message: str = documented(description="The result of each stage of the decision, with its numbers.")


class History(Open):
    at: list[int] = documented(description="Times of the points, in epoch seconds: one each 10 s.")
    lag: list[int | None] = documented(description="Lag at these times; null where it was unknown.")
    enrichers: list[int] = documented(description="Enrichers that served at these times.")


class Feed(Open):
    name: str = documented(description="Name of the feed.", example="nifty-replay")
    mode: str | None = documented(
        description="Who decides the number of enrichers: Automatic, Recommend, Manual or External; null if"
        " the feed's spec cannot be read.",
        example="Automatic",
    )
    source: str | None = documented(description="Kind of the source.", example="replay")
    origin: str | None = documented(
        None,
        description="Where the market comes from: file, host or seed; empty if nothing is to say.",
        example="nifty.csv",
    )
    products: list[str] = documented(description="Products: the first 100.", example=["NIFTY"])
    product_count: int = documented(description="Number of all products.", example=1)
    generator: Replicas
    enricher: Replicas
    lag: int | None = documented(description="Entries of the stream that no enricher has read.", example=0)
    oldest_seconds: float | None = documented(description="Age of the oldest open entry, in seconds.")
    arrivals_per_second: float | None = documented(description="Entries that arrive per second.")
    service_seconds: float | None = documented(
        description="Worker time of an entry in a full batch, in seconds; null before the first batch."
    )
    load_reason: str | None = documented(description="Why the load is unknown (null numbers); else null.")
    conditions: list[Condition] = documented(description="Conditions, as in a DeltaStreamFeed's status.")
    decisions: list[Decision] = documented(description="The last decisions, oldest first.")
    history: History


class FeedsTable(Open):
    updated_at: str = documented(description="Time of the table (RFC 3339, UTC); a new one each 2 s.")
    authority: str = documented(description="Who decides about the feeds: local or cluster.", example="local")
    namespace: str | None = documented(
        description="Namespace of the feeds in a cluster; null in a local run."
    )
    feeds: list[Feed] = documented(description="The feeds, by name: the first 200.")
    omitted: int = documented(description="Number of further feeds that are not listed.", example=0)


class DeadLetter(Open):
    id: str = documented(description="Id of the letter, for `dlq show` and `dlq replay`.")
    feed: str = documented(description="Name of the feed.", example="nifty-replay")
    entry_id: str = documented(description="Id of the entry in the feed's stream.")
    mid: str | None = documented(description="The message's id; null if it could not be read.")
    reason: str = documented(description="Why it was refused, in one word.", example="schema")
    detail: str = documented(description="The invalid field and the rule; never the payload.")
    deliveries: int = documented(description="Number of deliveries of the entry.", example=1)
    size_bytes: int = documented(description="Size of the received body, in bytes.")
    truncated: bool = documented(
        description="Whether the kept body was cut off, so that it cannot be sent again."
    )
    refused_ts: int = documented(description="Time of the refusal, nanoseconds since the Unix epoch.")


class ReasonCount(Open):
    reason: str = documented(description="Why the messages were refused, in one word.", example="schema")
    count: int = documented(description="Number of letters, among the counted ones.", example=3)


class DeadLetters(Open):
    feed: str = documented(description="Name of the feed.", example="nifty-replay")
    kept: int = documented(
        description="Number of dead letters that are kept. Old ones are dropped.", example=3
    )
    counted: int = documented(description="Number of letters in `reasons`: the newest 500.", example=3)
    reasons: list[ReasonCount] = documented(description="Counts by reason, the largest first.")
    letters: list[DeadLetter] = documented(description="The newest letters, newest first, without bodies.")


class FeedMessages(Open):
    feed: str = documented(description="Name of the feed.", example="nifty-replay")
    messages: list[dict[str, Any]] = documented(
        description="Messages as the producer wrote them (contracts market-*), in the order of the stream."
    )
    unreadable: int = documented(description="Number of bodies that are not JSON; left out.", example=0)
    next: str = documented(description="`after` of the next request.", example="1718963999000-0")
    more: bool = documented(description="More messages wait: ask again at once.")


class SourceReport(Open):
    """What a generator of a live source knows about its connections (contract feed-source)."""

    feed: str = documented(description="Name of the feed.", example="deribit-btc")
    shard: int = documented(description="Index of the generator, from 0.")
    source: str = documented(description="Kind of the source: deribit or kite.", example="deribit")
    connected: bool = documented(description="Everything that the feed asks for is subscribed.")
    authorized: bool = documented(description="False if the exchange refuses the credential.")
    reason: str = documented(description="Why, as one word.", example="Connected")
    message: str = documented(description="What is subscribed, or what is wrong and the fix.")
    since_ts: int = documented(
        description="Last change of connected, authorized or reason, ns since 1970; 0: none yet."
    )
    ts: int = documented(description="Time of the report, ns since 1970.")
    newest_ts: int = documented(
        description="Newest tick by the exchange's clock, ns since 1970; 0: none yet."
    )
    frames: int = documented(description="Frames received since the generator's start.")
    frame_bytes: int = documented(description="Bytes of these frames.")
    ticks: int = documented(description="Ticks made of them.")
    repeated: int = documented(description="Ticks that were not new and were dropped.")
    refused: int = documented(description="Frames that could not be used.")
    lost: int = documented(description="Ticks dropped because Redis took none for long.")
    gaps: int = documented(description="Ends of a subscribed connection: ticks may be missing.")
    reconnects: int = documented(description="Attempts to connect again.")


class FeedSource(Open):
    feed: str = documented(description="Name of the feed.", example="deribit-btc")
    ts: int = documented(description="Time of the answer, ns since 1970.")
    appended: int = documented(description="Messages that the feed's stream has taken so far.", example=21034)
    appended_ts: int = documented(description="Arrival of the newest of them, ns since 1970; 0: none yet.")
    generators: list[SourceReport] = documented(
        description="The generators of a live source that reported in the last 15 s, by shard. Else empty."
    )


class ChangedFeed(Open):
    feed: Feed
    detail: str = documented(description="What was changed, and how long it lasts.")
