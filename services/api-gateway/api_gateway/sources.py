"""Read what a feed receives: the reports of its generators, and how much its stream has taken.

OUTAGE POLICY: without Redis the answer is 503.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from api_gateway.feeds import Feeds, asked

EXTENSION = "deltastream.sources"
REPORT_LIVES_NS = 15_000_000_000
"""A generator of a live source reports each second; an older report is not its state any more."""


@dataclass
class Sources:
    """The hashes `feed:{feed}:source` (contract `feed-source`) and the streams `feed:{feed}`."""

    # redis-py's reply types fit neither its sync nor its async client, hence Any.
    reading: Any
    feeds: Feeds
    now_ns: Callable[[], int] = time.time_ns

    def of(self, feed: str) -> bytes:
        """Return what is known of a feed's source. Raises FeedsUnavailable or FeedUnknown."""
        reports, stream = asked(lambda: self._read(feed))
        if not reports and not stream:
            self.feeds.require_known(feed)
        now_ns = self.now_ns()
        generators = [orjson.loads(report) for report in reports.values()]
        fresh = [one for one in generators if now_ns - one["ts"] <= REPORT_LIVES_NS]
        newest_ms = int(stream.get("last-generated-id", b"0-0").partition(b"-")[0])
        return orjson.dumps(
            {
                "feed": feed,
                "ts": now_ns,
                "appended": stream.get("entries-added", 0),
                "appended_ts": newest_ms * 1_000_000,
                "generators": sorted(fresh, key=lambda one: one["shard"]),
            }
        )

    def _read(self, feed: str) -> tuple[dict[bytes, bytes], dict[str, Any]]:
        """Return the reports by shard and the reply of XINFO STREAM, empty before the first message."""
        reports = self.reading.hgetall(f"feed:{feed}:source")
        stream = f"feed:{feed}"
        return reports, self.reading.xinfo_stream(stream) if self.reading.exists(stream) else {}
