"""The gateway's metrics. Labels are route templates and upstream names, never text from a caller."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter("gateway_requests", "Requests answered.", ["route", "method", "status"])
UPSTREAM_SECONDS = Histogram(
    "gateway_upstream_seconds",
    "Time until the gateway has read an upstream's whole response, in seconds.",
    ["upstream"],
    buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
UPSTREAM_ERRORS = Counter(
    "gateway_upstream_errors", "Calls without a usable response.", ["upstream", "reason"]
)
UPSTREAM_OPEN = Gauge(
    "gateway_upstream_open",
    "1 while an upstream's circuit breaker is open and calls fail immediately.",
    ["upstream"],
)
INGESTED = Counter("gateway_ingested", "Pushed messages, by result.", ["result"])
LIMITS_FALLBACK = Counter(
    "gateway_limits_fallback", "Requests whose limits were counted in memory because Redis was unavailable."
)
