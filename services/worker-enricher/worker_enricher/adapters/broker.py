"""Celery's Redis transport, except that it connects as redis-py does and makes its client once.

NB: kombu decides by the transport's name whether it speaks TLS, or to a socket file, and verifies no
certificate unless the URL asks for it. This transport has another name, so its connections take redis-py's
reading of the URL, as every other client here does.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Final

from kombu.transport import redis
from redis import exceptions
from redis.connection import Connection, parse_url

from worker_enricher.adapters.outages import is_redis_outage
from worker_enricher.adapters.redis_client import DrainClient, DrainPipeline

_ONLY_TCP: Final = {"host", "port", "socket_keepalive", "socket_keepalive_options"}


@contextlib.contextmanager
def _as_lost_connection() -> Iterator[None]:
    try:
        yield
    except exceptions.ResponseError as error:
        if is_redis_outage(error):
            raise exceptions.ConnectionError(str(error)) from error
        raise


class BrokerPipeline(DrainPipeline):
    """As BrokerClient."""

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        """All answers. Raises ConnectionError in an outage."""
        with _as_lost_connection():
            return super().execute(raise_on_error)


class BrokerClient(DrainClient):
    """A client that tells a Redis that takes no writes for now as a lost connection.

    NB: Celery reconnects after a connection's error and ends after any other. A replica that was a master
    (READONLY) or a full disk (MISCONF) would end the worker again and again.
    """

    pipeline_class = BrokerPipeline

    def parse_response(self, connection: Any, command_name: Any, **options: Any) -> Any:
        """The answer. Raises ConnectionError in an outage."""
        with _as_lost_connection():
            return super().parse_response(connection, command_name, **options)  # type: ignore[no-untyped-call]


class Channel(redis.Channel):
    """Connects with the parameters in the transport option `server`, and is let through a full Redis."""

    server: dict[str, Any]
    _made: BrokerClient | None = None
    from_transport_options: tuple[str, ...] = (*redis.Channel.from_transport_options, "server")  # type: ignore[assignment]

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        self.connection_class = self.server.get("connection_class", Connection)
        given: dict[str, Any] = super()._connparams(asynchronous)  # type: ignore[no-untyped-call]
        made = {"connection_class": given["connection_class"]}  # the class above, as kombu's poller needs it
        if "path" in self.server:
            given = {key: value for key, value in given.items() if key not in _ONLY_TCP}
        return given | self.server | made

    def _get_client(self) -> type[BrokerClient]:
        return BrokerClient

    def _create_client(self, asynchronous: bool = False) -> Any:
        """The client of the channel's pool. kombu makes one a command, which costs more than the command."""
        if asynchronous:
            return super()._create_client(asynchronous=True)  # type: ignore[no-untyped-call]
        if self._made is None or self._made.connection_pool is not self.pool:
            self._made = super()._create_client()  # type: ignore[no-untyped-call]
        return self._made


class Transport(redis.Transport):
    Channel = Channel


def options(url: str) -> dict[str, Any]:
    """The transport options that lead to the server of a checked URL."""
    return {"server": parse_url(url)}  # type: ignore[no-untyped-call]
