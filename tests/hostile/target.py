"""The description of a server under attack, and the table of all attacks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True)
class Target:
    """A server on loopback. `token` authenticates a client, if the server requires that."""

    port: int
    process: psutil.Process
    log: Path
    path: str = "/livez"
    token: str = ""


@dataclass(frozen=True)
class Attack:
    """One attack. `of` is "http" for any HTTP server or "socket" for Socket.IO. `run` ends on its own."""

    name: str
    kind: str
    of: str
    run: Callable[[Target], None]


ATTACKS: list[Attack] = []


def attack(kind: str, of: str = "http") -> Callable[[Callable[[Target], None]], Callable[[Target], None]]:
    """Register the decorated function in the table of attacks under its own name."""

    def register(run: Callable[[Target], None]) -> Callable[[Target], None]:
        ATTACKS.append(Attack(run.__name__, kind, of, run))
        return run

    return register


def attacks_on(*of: str) -> list[Attack]:
    """The attacks for these types of server, in the order of their modules."""
    return [one for one in ATTACKS if one.of in of]
