"""Recognise the errors that mean that a store is unavailable or full, so that a retry can succeed.

Any other error is a fault of the batch or of this program. The difference matters for the limit on
deliveries: an outage never uses up a delivery of an entry.
"""

from __future__ import annotations

import redis
from kombu.exceptions import OperationalError
from redis.exceptions import ClusterDownError, OutOfMemoryError, TryAgainError

_REDIS = (
    redis.ConnectionError,  # includes: Redis loads its file, too many clients, a password change in progress
    redis.TimeoutError,
    OutOfMemoryError,
    redis.ReadOnlyError,
    ClusterDownError,
    TryAgainError,
    OperationalError,  # kombu's wrapper of the first two
)
# Redis' error codes without a class in redis-py: the disk is full, a replica is missing, a script runs too
# long, Redis became a replica while a command waited.
_REDIS_CODES = ("MISCONF", "NOREPLICAS", "BUSY ", "UNBLOCKED")
# If a command of a pipeline fails, redis-py puts this text before the server's message.
_OF_PIPELINE = " of pipeline caused error: "


def is_redis_outage(error: BaseException) -> bool:
    """Return whether the error means that Redis is unavailable, full or refuses all writes for now."""
    if isinstance(error, _REDIS):
        return True
    message = str(error).rpartition(_OF_PIPELINE)[2]
    return isinstance(error, redis.ResponseError) and message.startswith(_REDIS_CODES)


# From MongoDB's src/mongo/base/error_codes.yml: not authorised (while a password changes), out of time or
# memory, stepping down or shutting down, no disk space. 211: a member that has just started does not yet have
# the keys that sign cluster times. 8000 and 12501: quotas of Atlas and of old servers.
_MONGO_CODES = frozenset(
    {13, 18, 50, 64, 89, 91, 146, 189, 211, 262, 8000, 10107, 11600, 11602, 12501, 13435, 14031}
)


def is_mongo_outage_code(code: int | None) -> bool:
    """Return whether a MongoDB error code means that the server, not the document, is the cause."""
    return code in _MONGO_CODES
