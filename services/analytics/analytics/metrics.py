"""Analytics' metrics; labels are route templates and names of sources, never what a caller wrote."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

REQUESTS = Counter("analytics_requests", "Requests answered.", ["route", "method", "status"])
FOUND = Counter("analytics_found", "Questions answered, by the source that knew.", ["source"])
CACHE_AWAY = Counter("analytics_cache_away", "Questions that Redis did not answer.")
BROKEN = Counter(
    "analytics_broken_values", "Values left out of an answer: they break their contract.", ["source"]
)
STORAGE_SECONDS = Histogram(
    "analytics_storage_seconds",
    "Time until storage's whole answer was read, in seconds.",
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
STORAGE_ERRORS = Counter("analytics_storage_errors", "Calls of storage without a usable answer.", ["reason"])
