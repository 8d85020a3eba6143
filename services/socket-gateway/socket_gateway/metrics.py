"""The Socket.IO gateway's metrics."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)

CLIENTS = Gauge("deltastream_socket_clients", "Connected clients.")
WAITING = Gauge("deltastream_socket_frames_waiting", "Frames queued for all clients that lag.")
ROOMS = Gauge("deltastream_socket_rooms", "Rooms with at least one client.")
REFUSED = Counter("deltastream_socket_refused", "Connections refused.", ["code"])
SENT = Counter("deltastream_socket_events_offered", "Events handed to clients' outboxes.", ["event"])
CONFLATED = Counter("deltastream_socket_events_conflated", "Events replaced by a newer one before sending.")
EVICTIONS = Counter("deltastream_socket_evictions", "Clients disconnected by the gateway.", ["code"])
RECONNECTS = Counter("deltastream_socket_listener_reconnects", "Resubscriptions after a lost connection.")
MALFORMED = Counter("deltastream_socket_malformed_messages", "Messages from Redis that could not be parsed.")
PROCESSED_TO_EMIT = Histogram(
    "deltastream_socket_processed_to_emit_seconds",
    "Seconds from the worker's processed_at to emit.",
    buckets=_BUCKETS,
)
SENT_TO_EMIT = Histogram(
    "deltastream_socket_sent_to_emit_seconds",
    "Seconds from the producer's sent_ts to emit.",
    buckets=_BUCKETS,
)
