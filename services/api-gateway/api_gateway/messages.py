"""Read the messages of a feed's stream as its producer wrote them, for a recorder.

A read sets the key `feed:{feed}:readers` for `KEPT_MS`. Meanwhile the enrichers keep the processed entries of
the last seconds. So a reader that asks every second misses none.

OUTAGE POLICY: without Redis the answer is 503.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from api_gateway.feeds import Feeds, asked

EXTENSION = "deltastream.messages"
READ_BYTES, READ_ENTRIES = 1024 * 1024, 5000
KEPT_MS = 5000
_SCRIPT = (Path(__file__).with_name("lua") / "read_messages.lua").read_bytes()


@dataclass
class Messages:
    """The streams `feed:{feed}` (contract `stream-entry`), and the table that says which feeds there are."""

    # redis-py's reply types fit neither its sync nor its async client, hence Any.
    reading: Any
    feeds: Feeds

    def of(self, feed: str, after: str | None) -> bytes:
        """Return the messages behind the entry `after`; without it none, but where to begin.

        A body that is not JSON is left out and counted. A reader that got fewer entries than `appended` grew
        by missed some: they were removed before it read them. Raises FeedsUnavailable or FeedUnknown.
        """
        arguments = (after or "", READ_BYTES, READ_ENTRIES, KEPT_MS)
        keys = (f"feed:{feed}", f"feed:{feed}:readers")
        found = asked(lambda: self.reading.eval(_SCRIPT, 2, *keys, *arguments))
        if not found:
            self.feeds.require_known(feed)
            found = [(after or "0-0").encode(), 0, 0]
        last, more, appended, *bodies = found
        messages = [body for body in bodies if _is_json(body)]
        return orjson.dumps(
            {
                "feed": feed,
                "messages": [orjson.Fragment(body) for body in messages],
                "unreadable": len(bodies) - len(messages),
                "next": last.decode(),
                "more": bool(more),
                "appended": appended,
            }
        )


def _is_json(body: bytes) -> bool:
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return True
