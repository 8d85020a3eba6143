"""Pure functions that turn messages in Redis into events for clients: chains from columns into rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from socket_gateway.requests import FEEDS, GENERAL, is_symbol

Message = Mapping[str, Any]
Key = tuple[str, str, str]  # (event, product, expiry): a newer one replaces an older one
# (replay, ts, epoch, seq), the contract's order of two messages; a feeds table has only a time.
Order = tuple[int, int, int, int]

_TICK = ("type", "product", "price", "timestamp", "processed_at", "ts", "feed")
_SUMMARY = (
    "product", "expiry", "spot_price", "forward", "pcr_oi", "pcr_volume", "atm_strike",
    "atm_straddle_price", "atm_iv", "max_pain_strike", "timestamp",
)  # fmt: skip
# Chains that were cached before these fields existed do not have them.
_REASONS = ("pcr_oi_reason", "pcr_volume_reason", "max_pain_reason")


@dataclass(slots=True)
class Event:
    """An event for clients. A client receives it once, through the first of `rooms` that it is in.

    The payload is built on first use and cached: without listeners it is never built, with many only once.
    """

    name: str
    rooms: tuple[str, ...]
    key: Key
    order: Order
    _message: Message
    _build: Callable[[Message], dict[str, Any]]
    _payload: dict[str, Any] | None = field(default=None)

    @property
    def payload(self) -> dict[str, Any]:
        if self._payload is None:
            self._payload = self._build(self._message)
        return self._payload


def tick(message: Message) -> Event:
    """Return the underlying_update of an enriched tick."""
    product = _product(message)
    rooms = (GENERAL, f"product:{product}")
    key = ("underlying_update", product, "")
    return Event("underlying_update", rooms, key, _order(message), message, _tick_payload)


def summary(message: Message) -> Event:
    """Return the chain_summary of an enriched chain."""
    product, expiry = _product(message), str(message["expiry"])
    key = ("chain_summary", product, expiry)
    return Event("chain_summary", (GENERAL,), key, _order(message), message, _summary_payload)


def chain(message: Message) -> Event:
    """Return the chain_update of an enriched chain."""
    product, expiry = _product(message), str(message["expiry"])
    key = ("chain_update", product, expiry)
    return Event("chain_update", (f"chain:{product}",), key, _order(message), message, _chain_payload)


def feeds(message: Message) -> Event:
    """Return the feeds_update of a feeds table."""
    if not isinstance(message["feeds"], list):
        raise TypeError("feeds must be a list")
    updated_ms = int(datetime.fromisoformat(message["updated_at"]).timestamp() * 1000)
    return Event("feeds_update", (FEEDS,), ("feeds_update", "", ""), (0, updated_ms, 0, 0), message, dict)


def rows(strikes: list[float], columns: Mapping[str, list[Any]]) -> list[dict[str, Any]]:
    """Turn columns (one array per field) into rows: one object per strike, in the order of `strikes`."""
    names = ("strike", *columns)
    return [dict(zip(names, values, strict=True)) for values in zip(strikes, *columns.values(), strict=True)]


def _tick_payload(message: Message) -> dict[str, Any]:
    return {name: message[name] for name in _TICK}


def _summary_payload(message: Message) -> dict[str, Any]:
    payload = {name: message[name] for name in _SUMMARY}
    payload |= {name: message[name] for name in _REASONS if name in message}
    for name in ("pcr_oi", "pcr_volume"):
        if payload[name] is not None:
            payload[name] = round(payload[name], 4)
    return payload


def _chain_payload(message: Message) -> dict[str, Any]:
    strikes = message["strikes"]
    return {
        **message,
        "calls": rows(strikes, message["calls"]),
        "puts": rows(strikes, message["puts"]),
    }


def _product(message: Message) -> str:
    product = message["product"]
    if not is_symbol(product):
        raise ValueError("product must be a symbol that matches ^[A-Z0-9&-]{1,20}$")
    return str(product)


def _order(message: Message) -> Order:
    epoch, seq = str(message["mid"]).split(":")
    return int(message["replay"]), int(message["ts"]), int(epoch), int(seq)
