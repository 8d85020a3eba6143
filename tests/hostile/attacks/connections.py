"""Floods of connections."""

from __future__ import annotations

from tests.hostile.target import Target, attack
from tests.hostile.wire import connect, hold, sockets


@attack("connection floods")
def silent_connections(target: Target) -> None:
    with sockets(target, 1500):
        hold()


@attack("connection floods")
def connections_that_come_and_go(target: Target) -> None:
    for _ in range(1500):
        connect(target.port).close()
