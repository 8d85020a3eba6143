"""Find free ports on loopback and check whether a server answers."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable, Collection

HOST = "127.0.0.1"


def is_free(port: int) -> bool:
    """Return whether a server could listen on the port now."""
    with socket.socket() as probe:
        probe.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # as servers do: a port in TIME_WAIT is free
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def free_port(taken: Collection[int]) -> int:
    """Return a free port that is not in `taken`.

    The port is outside the kernel's ephemeral range, where an outgoing connection could occupy it later.
    """
    while True:
        port = random.randrange(20_000, 30_000)
        if port not in taken and is_free(port):
            return port


def listening(port: int) -> Callable[[], bool]:
    """Return a check that the port accepts connections."""

    def check() -> bool:
        try:
            socket.create_connection((HOST, port), timeout=0.5).close()
        except OSError:
            return False
        return True

    return check


def answers(url_port: int, path: str) -> Callable[[], bool]:
    """Return a check that `GET path` returns status 200."""

    def check() -> bool:
        import http.client

        connection = http.client.HTTPConnection(HOST, url_port, timeout=2.5)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    return check
