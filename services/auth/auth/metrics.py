"""What auth counts."""

from __future__ import annotations

from prometheus_client import Counter

REQUESTS = Counter("auth_requests", "Requests by route, method and status.", ["route", "method", "status"])
LIMITS_FALLBACK = Counter("auth_limits_fallback", "Requests that were counted in memory: Redis is away.")
HASH_REFUSED = Counter("auth_hash_refused", "Passwords not hashed because every place was taken.")
REFRESH_REUSED = Counter(
    "auth_refresh_reused", "Used refresh tokens that came again; their family was revoked."
)
LOGINS = Counter("auth_logins", "Logins by outcome.", ["outcome"])
