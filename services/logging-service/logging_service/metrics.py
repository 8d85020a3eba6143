"""The logging service's metrics."""

from __future__ import annotations

from prometheus_client import Counter

REQUESTS = Counter("logging_requests", "Requests by route, method and status.", ["route", "method", "status"])
ACCEPTED = Counter("logging_accepted", "Lines stored, by level.", ["level"])
