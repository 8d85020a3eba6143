"""The faults of the fake exchange, which a test sets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Faults:
    """What the exchange does wrong. Shares are of the tickers sent."""

    repeated: float = 0.0
    reordered: float = 0.0
    garbled: float = 0.0  # a JSON text that ends in the middle
    silent: bool = False  # the connection stays open and nothing comes
    handshake: int = 0  # the status of its answer, instead of opening the connection
    refuses: dict[str, tuple[int, str]] = field(default_factory=dict)  # by method: code and message
    no_instruments: bool = False
    delisted: str = ""  # an instrument that is in the list and cannot be subscribed
    unpriced: str = ""  # an index that never has a price
    ahead_ms: int = 0  # the exchange's clock minus the true one
    edit: Callable[[dict[str, Any]], None] | None = None  # changes a ticker's data
