"""Free TCP ports on loopback for servers that start later."""

from __future__ import annotations

import contextlib
import random
import socket

from devcluster.environment import worker

# The local run takes ports of 20000 to 29999 for its processes, and the kernel those from 32768.
_FIRST, _LAST = 10_000, 19_999


def _ours() -> list[int]:
    """Return this process's ports in random order. Processes of one test run have none in common."""
    number, count = worker()
    ports = range(_FIRST + number, _LAST + 1, count)
    return random.SystemRandom().sample(ports, len(ports))


_PORTS = iter(_ours())


def is_free(port: int) -> bool:
    """Return whether a server could listen on this port of loopback now."""
    with socket.socket() as probe, contextlib.suppress(OSError):
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
        return True
    return False


def free_port() -> int:
    """Return a free TCP port on loopback. Each call in a process returns another port.

    Ports never repeat because a caller may request several before it starts the servers. They are outside
    the ranges of the local run and of outgoing connections: either could take the port before the server
    starts. Raises RuntimeError if no port of the range is left.
    """
    for port in _PORTS:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError(
        f"no free port is left: all of this process in {_FIRST} to {_LAST} were returned before or are in use"
    )
