"""Ports and probes on loopback."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable, Collection

HOST = "127.0.0.1"


def is_free(port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: TIME_WAIT is no owner
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def free_port(taken: Collection[int]) -> int:
    """A free port outside the kernel's ephemeral range, where outgoing connections could take it later."""
    while True:
        port = random.randrange(20_000, 30_000)
        if port not in taken and is_free(port):
            return port


def listening(port: int) -> Callable[[], bool]:
    """A check that somebody accepts connections there."""

    def check() -> bool:
        try:
            socket.create_connection((HOST, port), timeout=0.5).close()
        except OSError:
            return False
        return True

    return check


def answers(url_port: int, path: str) -> Callable[[], bool]:
    """A check that `GET path` answers 200 there."""

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
