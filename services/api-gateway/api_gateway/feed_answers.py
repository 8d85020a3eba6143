"""Response models of the feeds' routes, for the OpenAPI document (see answers.py)."""

from __future__ import annotations

from typing import Any

from api_gateway.answers import Open
from api_gateway.models import documented


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
    appended: int = documented(
        description="Messages that the stream has taken so far. If it grew by more than a reader got, the"
        " others were removed before it read them.",
        example=21034,
    )


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
