"""auth's metrics."""

from __future__ import annotations

from prometheus_client import Counter

REQUESTS = Counter("auth_requests", "Requests by route, method and status.", ["route", "method", "status"])
LIMITS_FALLBACK = Counter("auth_limits_fallback", "Requests counted in memory because Redis was unavailable.")
HASH_REFUSED = Counter("auth_hash_refused", "Passwords not hashed because too many were waiting.")
REFRESH_REUSED = Counter(
    "auth_refresh_reused", "Refresh tokens that were used twice; their family was revoked."
)
LOGINS = Counter("auth_logins", "Logins by outcome.", ["outcome"])
