"""Storage's metrics. Labels never contain text from a client."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

REQUESTS = Counter("storage_requests", "Requests by route, method and status.", ["route", "method", "status"])
QUERY_SECONDS = Histogram(
    "storage_query_seconds",
    "Duration of a query including its whole result, in seconds.",
    ["query"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
INVALID_DOCUMENTS = Counter(
    "storage_invalid_documents", "Stored documents left out because they violate their contract."
)
