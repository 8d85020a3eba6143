"""Celery's Redis transport, except that an acknowledgement that fails is not passed over.

NB: kombu logs a failed acknowledgement ("Couldn't ack") and goes on. The message then counts as in hand for
ever, the worker's only prefetch slot with it, and after a restart of Redis the worker looks healthy and
consumes nothing. Raised instead, the error makes the worker reconnect, as any lost connection does. The
batch itself is not lost either way: the stream delivers it again.
"""

from __future__ import annotations

from kombu.transport import redis, virtual


class Message(virtual.Message):
    """A task whose acknowledgement either succeeds or raises."""

    def ack_log_error(self, _logger: object, _errors: object, multiple: bool = False) -> None:
        """Acknowledge. Raises the connection's error."""
        self.ack(multiple=multiple)  # type: ignore[no-untyped-call]

    def reject_log_error(self, _logger: object, _errors: object, requeue: bool = False) -> None:
        """Reject. Raises the connection's error."""
        self.reject(requeue=requeue)  # type: ignore[no-untyped-call]


class Channel(redis.Channel):
    Message = Message


class Transport(redis.Transport):
    Channel = Channel
