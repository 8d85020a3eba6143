"""Free TCP ports on loopback for servers that start later."""

from __future__ import annotations

import contextlib
import random
import socket

_PORTS = iter(random.SystemRandom().sample(range(15_000, 30_000), 15_000))


def is_free(port: int) -> bool:
    """Return whether a server could listen on this port of loopback now."""
    with socket.socket() as probe, contextlib.suppress(OSError):
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
        return True
    return False


def free_port() -> int:
    """Return a free TCP port on loopback. Each call in a process returns another port.

    Ports never repeat because a caller may request several before it starts the servers. They are below the
    kernel's range for outgoing connections: such a connection could take the port before the server starts.
    Raises RuntimeError if no port of the range is left.
    """
    for port in _PORTS:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no free port is left: each of 15000 to 29999 was returned before or is in use")
