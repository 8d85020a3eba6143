"""Analytics' metrics. Labels never contain text from a client."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

REQUESTS = Counter(
    "analytics_requests", "Requests by route, method and status.", ["route", "method", "status"]
)
FOUND = Counter("analytics_found", "Reads answered, by source.", ["source"])
CACHE_UNAVAILABLE = Counter("analytics_cache_away", "Calls of Redis that failed.")
BROKEN = Counter(
    "analytics_broken_values", "Values left out because they violate their contract, by source.", ["source"]
)
STORAGE_SECONDS = Histogram(
    "analytics_storage_seconds",
    "Duration of a call of storage including the body, in seconds.",
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
STORAGE_ERRORS = Counter("analytics_storage_errors", "Calls of storage that failed, by reason.", ["reason"])
