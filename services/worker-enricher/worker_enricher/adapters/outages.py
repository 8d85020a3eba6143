"""Which errors mean that a store is away or full, so that waiting helps.

Everything else is a fault of the batch or of this program. The difference decides whether an entry uses up a
delivery: an outage never does.
"""

from __future__ import annotations

import redis
from kombu.exceptions import OperationalError
from redis.exceptions import ClusterDownError, OutOfMemoryError, TryAgainError

_REDIS = (
    redis.ConnectionError,  # also: loading its file, too many clients, a password that is being changed
    redis.TimeoutError,
    OutOfMemoryError,
    redis.ReadOnlyError,
    ClusterDownError,
    TryAgainError,
    OperationalError,  # what kombu makes of the first two
)
# Redis' codes without a class in the driver: its disk is full, a replica is missing, a script runs too long,
# it became a replica while a command waited.
_REDIS_CODES = ("MISCONF", "NOREPLICAS", "BUSY ", "UNBLOCKED")
# What redis-py puts between its own words and the server's when a pipeline's command is refused.
_OF_PIPELINE = " of pipeline caused error: "


def is_redis_outage(error: BaseException) -> bool:
    """Whether Redis is away, full or refuses all writes for now."""
    if isinstance(error, _REDIS):
        return True
    said = str(error).rpartition(_OF_PIPELINE)[2]
    return isinstance(error, redis.ResponseError) and said.startswith(_REDIS_CODES)


# From MongoDB's src/mongo/base/error_codes.yml: no right to write (a password is being changed), out of time
# or memory, stepping down or shutting down, no disk space. 8000 and 12501 are Atlas' and old servers' quotas.
_MONGO_CODES = frozenset(
    {13, 18, 50, 64, 89, 91, 146, 189, 262, 8000, 10107, 11600, 11602, 12501, 13435, 14031}
)


def is_mongo_outage_code(code: int | None) -> bool:
    """Whether an error code of MongoDB says that the server, not the document, is the obstacle."""
    return code in _MONGO_CODES
