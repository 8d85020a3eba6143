"""Storage's metrics; labels are route templates and query names, never what a caller wrote."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

REQUESTS = Counter("storage_requests", "Requests answered.", ["route", "method", "status"])
QUERY_SECONDS = Histogram(
    "storage_query_seconds",
    "Time until a query's whole result was read, in seconds.",
    ["query"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
INVALID_DOCUMENTS = Counter(
    "storage_invalid_documents", "Stored documents left out of an answer: they break their contract."
)
