"""A Celery transport for Redis that connects with redis-py's own rules and reuses its client.

NB: kombu derives TLS and socket files from the transport's name, and verifies no certificate unless the URL
asks for it. This transport has another name, so redis-py interprets the URL, as for every other client here.
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
    """The pipeline of BrokerClient, with the same treatment of outages."""

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        """Return the answers of all commands. Raises ConnectionError in an outage."""
        with _as_lost_connection():
            return super().execute(raise_on_error)


class BrokerClient(DrainClient):
    """A client that reports a Redis that refuses writes for now as a lost connection.

    NB: Celery reconnects after a connection error and exits after any other. A demoted primary (READONLY) or
    a full disk (MISCONF) would stop the worker again and again.
    """

    pipeline_class = BrokerPipeline

    def parse_response(self, connection: Any, command_name: Any, **options: Any) -> Any:
        """Return the answer of one command. Raises ConnectionError in an outage."""
        with _as_lost_connection():
            return super().parse_response(connection, command_name, **options)  # type: ignore[no-untyped-call]


class Channel(redis.Channel):
    """Connects with the parameters in the transport option `server`, and can write while Redis is full."""

    server: dict[str, Any]
    _made: BrokerClient | None = None
    from_transport_options: tuple[str, ...] = (*redis.Channel.from_transport_options, "server")  # type: ignore[assignment]

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        self.connection_class = self.server.get("connection_class", Connection)
        given: dict[str, Any] = super()._connparams(asynchronous)  # type: ignore[no-untyped-call]
        made = {"connection_class": given["connection_class"]}  # kombu's poller needs its subclass
        if "path" in self.server:
            given = {key: value for key, value in given.items() if key not in _ONLY_TCP}
        return given | self.server | made

    def _get_client(self) -> type[BrokerClient]:
        return BrokerClient

    def _create_client(self, asynchronous: bool = False) -> Any:
        """Return one client per pool. kombu creates one per command, which costs more than the command."""
        if asynchronous:
            return super()._create_client(asynchronous=True)  # type: ignore[no-untyped-call]
        if self._made is None or self._made.connection_pool is not self.pool:
            self._made = super()._create_client()  # type: ignore[no-untyped-call]
        return self._made


class Transport(redis.Transport):
    """The transport that the setting `broker_transport` names."""

    Channel = Channel


def options(url: str) -> dict[str, Any]:
    """Return the transport options for the server of `url`, which must have passed `redis_urls.checked`."""
    return {"server": parse_url(url)}  # type: ignore[no-untyped-call]
