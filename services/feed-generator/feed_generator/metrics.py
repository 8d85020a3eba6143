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

# A live source only: the label keeps the series of other generators away.
_LIVE = ["source"]
SOURCE_CONNECTED = Gauge("feed_source_connected", "1 if everything is subscribed, else 0.", _LIVE)
SOURCE_AUTHORIZED = Gauge("feed_source_authorized", "0 if the credential is refused, else 1.", _LIVE)
SOURCE_AGE = Gauge("feed_source_age_seconds", "Age of the newest tick, by the exchange's clock.", _LIVE)
SOURCE_FRAMES = Counter("feed_source_frames_total", "Frames received from the exchange.", _LIVE)
SOURCE_BYTES = Counter("feed_source_bytes_total", "Bytes of the frames received.", _LIVE)
SOURCE_REFUSED = Counter("feed_source_refused_total", "Frames that cannot be used.", _LIVE)
SOURCE_REPEATED = Counter("feed_source_repeated_total", "Ticks that were not new.", _LIVE)
SOURCE_LOST = Counter("feed_source_lost_total", "Ticks dropped because Redis took none for long.", _LIVE)
SOURCE_GAPS = Counter("feed_source_gaps_total", "Ends of a subscribed connection.", _LIVE)
SOURCE_RECONNECTS = Counter("feed_source_reconnects_total", "Attempts to connect again.", _LIVE)
