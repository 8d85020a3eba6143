"""Prometheus metrics of the generator. Labels are kinds, never symbols, so the number of series is fixed."""

from prometheus_client import Counter, Gauge

MADE = Counter("feed_made_total", "Messages that the source made: published, waiting, conflated or dropped.")
PUBLISHED = Counter("feed_published_total", "Messages that Redis confirmed.", ["kind"])
CONFLATED = Counter("feed_quotes_conflated_total", "Quotes replaced by a newer one before they were sent.")
DROPPED = Counter("feed_quotes_dropped_total", "Quotes dropped because the readers are far behind.")
BUFFERED = Gauge("feed_buffered_messages", "Messages waiting for Redis.")
BACKLOG = Gauge("feed_backlog_entries", "Entries of the stream that are not processed yet.")
PRESSURE = Gauge(
    "feed_pressure", "Back-pressure: 1 conflates quotes, 1.5 halves the speed, 2 drops quotes, 3 pauses."
)
REDIS_MEMORY = Gauge("feed_redis_memory_ratio", "Share of Redis' maxmemory in use, at the last check.")
LATENESS = Gauge("feed_lateness_seconds", "How late the last batch of the source was made.")
SKIPPED = Counter(
    "feed_skipped_seconds_total", "Market time skipped because messages were late or Redis was nearly full."
)
REDIS_ERRORS = Counter("feed_redis_errors_total", "Calls to Redis that failed.")
