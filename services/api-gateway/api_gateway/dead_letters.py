"""Read the dead letters of a feed: how many, why, and the newest ones without their bodies.

OUTAGE POLICY: without Redis the answer is 503.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from api_gateway.feeds import Feeds, asked

EXTENSION = "deltastream.dead_letters"
READ_MAX = 500
"""The newest letters that are read, and counted by reason."""
_SCRIPT = (Path(__file__).with_name("lua") / "newest_letters.lua").read_bytes()


@dataclass
class DeadLetters:
    """The streams `dlq:{feed}` (contract `dead-letter`), and the table that says which feeds there are."""

    # redis-py's reply types fit neither its sync nor its async client, hence Any.
    reading: Any
    feeds: Feeds

    def of(self, feed: str, limit: int) -> bytes:
        """Return the answer about a feed with at most `limit` letters.

        Raises FeedsUnavailable or FeedUnknown.
        """
        kept, *found = asked(lambda: self.reading.eval(_SCRIPT, 1, f"dlq:{feed}", READ_MAX))
        if not found:
            self.feeds.require_known(feed)
        letters = [
            {"id": id_.decode(), **orjson.loads(letter)}
            for id_, letter in zip(found[::2], found[1::2], strict=True)
        ]
        reasons = Counter(letter["reason"] for letter in letters)
        return orjson.dumps(
            {
                "feed": feed,
                "kept": kept,
                "counted": len(letters),
                "reasons": [{"reason": reason, "count": count} for reason, count in reasons.most_common()],
                "letters": letters[:limit],
            }
        )
