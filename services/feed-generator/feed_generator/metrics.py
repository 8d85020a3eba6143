"""Prometheus metrics of the generator, labelled by message kind and never by symbol."""

from prometheus_client import Counter, Gauge

MADE = Counter("feed_made_total", "Messages that the source made: published, waiting, conflated or dropped.")
PUBLISHED = Counter("feed_published_total", "Messages that Redis confirmed.", ["kind"])
CONFLATED = Counter("feed_quotes_conflated_total", "Quotes replaced by a newer one before they were sent.")
DROPPED = Counter("feed_quotes_dropped_total", "Quotes dropped under back-pressure.")
BUFFERED = Gauge("feed_buffered_messages", "Messages waiting for Redis.")
BACKLOG = Gauge("feed_backlog_entries", "Entries of the stream that no worker has processed yet.")
PRESSURE = Gauge(
    "feed_pressure", "Back-pressure: 1 conflates quotes, 1.5 halves the speed, 2 drops quotes, 3 pauses."
)
REDIS_MEMORY = Gauge("feed_redis_memory_ratio", "Share of Redis' maxmemory in use at the last poll.")
LATENESS = Gauge("feed_lateness_seconds", "Delay between the due time of the last batch and its creation.")
SKIPPED = Counter("feed_skipped_seconds_total", "Market time skipped because of delays or back-pressure.")
REDIS_ERRORS = Counter("feed_redis_errors_total", "Calls to Redis that failed.")
