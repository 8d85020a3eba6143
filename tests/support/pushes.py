"""Pushes of another program into the external feed `mine` at POST /api/ingest/{feed}."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from tests.support.contracts import example
from tests.support.tokens import headers_of

PATH = "/api/ingest/mine"
NDJSON = {"Content-Type": "application/x-ndjson"}


def now_ns() -> int:
    return time.time_ns()


def live(message: dict[str, Any], seq: int = 1, **changes: Any) -> dict[str, Any]:
    """Return the message of a contract's example as one of now in the feed `mine`."""
    now = now_ns()
    own = {"feed": "mine", "product": "SPY", "mid": f"7:{seq}", "ts": now, "sent_ts": now, "replay": 0}
    return {**message, **own, "truth": None, **changes}


def tick(seq: int = 1, **changes: Any) -> dict[str, Any]:
    """Return a valid tick of now."""
    return live(example("market-underlying", 2), seq, **changes)


def chain(seq: int = 1, **changes: Any) -> dict[str, Any]:
    """Return a valid chain of now."""
    return live(example("market-option_chain"), seq, **changes)


def quote(seq: int = 1, **changes: Any) -> dict[str, Any]:
    """Return a valid quote of now."""
    given = example("market-option_quote")
    return live(given, seq, symbol=given["symbol"].replace("NIFTY", "SPY"), **changes)


def lines(*messages: Any) -> bytes:
    """Return a body of one message a line."""
    return b"\n".join(one if isinstance(one, bytes) else json.dumps(one).encode() for one in messages)


def push(client: Any, *messages: Any, path: str = PATH, **headers: str) -> Any:
    """Push messages by an account with the role ingest, or by that of the header Authorization."""
    return client.post(path, data=lines(*messages), headers={**headers_of("ingest"), **NDJSON, **headers})


def results(answer: Any) -> list[str]:
    """Return the result of each line."""
    assert answer.status_code == 200, answer.text
    return [line["result"] for line in answer.json["lines"]]


def bodies(store: Any) -> list[bytes]:
    """Return what is in the stream of the feed."""
    return [fields[b"body"] for _, fields in store.xrange("feed:mine")]


def publish(
    store: Any, *, definitions: Sequence[Mapping[str, Any]] = (), products: Sequence[str] = ("SPY",)
) -> None:
    """Write what the operator writes of the external feed `mine`, and of the replay `nifty`."""
    table = example("feeds-table")
    mine = {**table["feeds"][0], "name": "mine", "source": "external", "products": list(products)}
    store.set("feeds:table", json.dumps({**table, "feeds": [table["feeds"][0], mine]}))
    external: dict[str, Any] = {"products": list(products)}
    if definitions:
        external["definitions"] = list(definitions)
    store.hset("feeds:external", "mine", json.dumps(external))
