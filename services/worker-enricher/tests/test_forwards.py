"""The forward of a quote: the last one before it in the stream, however the stream was cut into batches."""

from __future__ import annotations

from typing import Any

import msgspec
from tests.support.contracts import example

from worker_enricher.chassis.market_messages import OptionChain, OptionQuote
from worker_enricher.forwards import forwards_now
from worker_enricher.pipeline import enrich
from worker_enricher.results import Forward

KEY = ("NIFTY", "2024-06-27")


def chain(seq: int, ts: int, **changed: Any) -> OptionChain:
    return msgspec.convert(
        example("market-option_chain") | {"mid": f"3:{seq}", "ts": ts, **changed}, OptionChain
    )


def quote(seq: int, ts: int, **changed: Any) -> OptionQuote:
    return msgspec.convert(
        example("market-option_quote") | {"mid": f"3:{seq}", "ts": ts, **changed}, OptionQuote
    )


START = example("market-option_quote")["ts"]


def test_the_batches_do_not_change_the_quotes() -> None:
    """So replaying a recording gives the analytics of the day on which it was made."""
    messages = [
        chain(1, START),
        quote(2, START + 1),
        chain(3, START + 2, spot_price=23_600.0),
        quote(4, START + 3, spot_price=23_510.0),
        chain(5, START + 4, spot_price=23_400.0),
        quote(6, START + 5, spot_price=23_490.0),
    ]
    whole = enrich(messages, forwards={}, now_ns=0).documents["option_quote"]
    known: dict[tuple[str, str], Forward] = {}
    single = []
    for message in messages:
        done = enrich([message], forwards=known, now_ns=0)
        known |= done.forwards
        single += done.documents.get("option_quote", [])
    assert whole == single
    assert len({document["forward"] for document in whole}) == 3


def test_a_chain_behind_the_quote_does_not_count() -> None:
    """Neither does one of another expiry, an older one that came late, or one without a forward."""
    old, new, late = (Forward(price, 1.0, 100.0, None) for price in (99.0, 101.0, 98.0))
    before, after = quote(2, START), quote(6, START + 3)
    messages = [
        before,
        chain(3, START + 2),
        chain(4, START + 1),
        chain(5, START + 3, expiry="2024-07-25"),
        chain(7, START + 3),
        after,
    ]
    made = [new, late, Forward(1.0, 1.0, 1.0, None), None]
    first, second = forwards_now(messages, made, {KEY: old})
    spot = before.spot_price
    assert first == Forward(99.0 * spot / 100.0, 1.0, spot, None)
    assert second == Forward(101.0 * spot / 100.0, 1.0, spot, None)
    assert list(forwards_now([before], [], {})) == [None]


def test_a_stored_chain_has_what_its_message_had() -> None:
    """Also the columns that only the build-up needs: the chain can be exported and replayed."""
    message = chain(1, START)
    (document,) = enrich([message], forwards={}, now_ns=0).documents["option_chain"]
    for side, legs in (("calls", message.calls), ("puts", message.puts)):
        sent = msgspec.to_builtins(legs)  # without the optional columns
        assert {name: document[side][name] for name in sent} == sent
