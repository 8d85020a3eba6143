"""Free TCP ports on loopback for servers that start later."""

from __future__ import annotations

import contextlib
import random
import socket

_PORTS = iter(random.SystemRandom().sample(range(15_000, 30_000), 15_000))


def free_port() -> int:
    """A TCP port on loopback that nobody listened on a moment ago, another one at each call.

    Never the same twice: who asks for several starts its servers later. Below the range from which the kernel
    takes the ports of outgoing connections: one of those could come between this look and the server's start.
    """
    for port in _PORTS:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("every port from 15000 to 29999 was given out or is taken")
