"""From the stream to a recording, to the file that a feed replays, and to its messages: nothing changes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.contracts import example, sent

from deltastream_cli.adapters import message_file, message_spool, recording_file
from deltastream_cli.adapters.message_spool import Order
from feed_generator.bootstrap.sources import source
from feed_generator.config import Settings

START = 1_795_500_000 * 10**9
PRODUCTS = ("BTC", "SPX", "SPXW", "MINI")


def _variants() -> Iterator[dict[str, Any]]:
    """Yield messages of every kind with what the contracts allow and a recording might lose."""
    coin = {"price_unit": "USD", "settlement_currency": "BTC", "multiplier": 0.01}
    morning = {"settlement_session": "open", "multiplier": 100}
    for number in (1, 2):
        for kind in ("underlying", "option_quote", "option_chain"):
            try:
                yield example(f"market-{kind}", number)
            except FileNotFoundError:
                continue
    quote, chain, tick = (sent(kind) for kind in ("option_quote", "option_chain", "underlying"))
    third = 1 / 3
    yield tick | {"price": 64_123.456789012345}
    yield quote | coin | {"product": "BTC", "open_interest": 1234.1, "bid_size": 0.1, "bid": third}
    yield quote | {"quote_age_ms": 60_000.000001, "vendor": {"iv": 0.65, "gamma": 1e-9, "theta": -third}}
    yield quote | {"quote_age_ms": 0, "vendor": {}, "bid": 0, "ask": 0.0, "volume": 10**15}
    for root in ("SPX", "SPXW"):  # the same day and strikes, another instant of expiry
        instant = chain["expiry_ts"] - (7 * 3600 * 10**9 if root == "SPX" else 0)
        terms: dict[str, Any] = morning if root == "SPX" else {}
        yield chain | {"product": root, "expiry_ts": instant} | terms
    yield chain | {"product": "MINI", "expiry": "2024-07-04", "lot_size": 5, "vendor_forward": third}
    for ages in ([None, 12.5], [0, None], [None, None]):
        sides = {side: chain[side] | {"quote_age_ms": ages} for side in ("calls", "puts")}
        sides["calls"] |= {"vendor_iv": [third, None], "open_interest": [0.5, 10**15]}
        yield chain | sides
    yield chain | {
        "strikes": [],
        "calls": {name: [] for name in chain["calls"]},
        "puts": {name: [] for name in chain["puts"]},
    }


def _messages() -> list[dict[str, Any]]:
    """Return the messages of two generators. They interleave, their times go back, and a day has a gap."""
    found = []
    for at, message in enumerate(_variants()):
        for shard in (1, 2):
            of_feed = {"feed": "desk", "mid": f"{shard}:{at + 1}", "sent_ts": START, "replay": 0}
            product = message["product"] if message["product"] in PRODUCTS else PRODUCTS[shard]
            ts = START + (at % 7) * 1_000_000_007 + shard + (86_400 * 10**9 if at > 9 else 0)
            found.append(message | of_feed | {"product": product, "ts": ts})
    return found


def _replayed(path: Path) -> list[dict[str, Any]]:
    settings = {
        "feed": "again",
        "source": "replay",
        "products": ",".join(PRODUCTS),
        "redis_url": "redis://127.0.0.1",
    }
    made = source(
        Settings.model_validate(settings | {"replay_path": str(path), "replay_loop": "Once"}), 0, print
    )
    found: list[dict[str, Any]] = []
    while made.due_ns() is not None:
        found += [json.loads(one.body) for one in made.advance().messages]
    return found


@pytest.mark.parametrize("order", ["stream", "time"])
def test_what_is_replayed_is_what_was_sent(tmp_path: Path, order: Order) -> None:
    """Field by field, once, in the order of the stream or of event times. What cannot be kept is counted."""
    messages = _messages()
    pages = [messages[:9], [*messages[5:20], {"kind": "trade"}, None], messages[20:][::-1], messages[:3]]
    with message_spool.opened(tmp_path / "day.parquet") as spool:
        for page in pages:
            spool.append(page, {}, None)
        spool.count()
        assert (len(spool), spool.missing, sum(spool.refused.values())) == (len(messages), 0, 2)
        recording_file.write(tmp_path / "day.parquet", spool.rows(order), {})
    reader = recording_file.Reader(tmp_path / "day.parquet")
    message_file.write(tmp_path / "day.messages.gz", reader.messages(), reader.contents())
    expected = [*messages[:20], *messages[20:][::-1]]
    if order == "time":
        expected = sorted(messages, key=lambda one: (one["ts"], one["mid"].split(":")[0]))
    of_producer = ("mid", "sent_ts", "replay")
    assert _replayed(tmp_path / "day.messages.gz") == [
        {name: value for name, value in one.items() if name not in of_producer} | {"feed": "again"}
        for one in expected
    ]
