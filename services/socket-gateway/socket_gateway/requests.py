"""Validate the payloads of `subscribe` and `unsubscribe`. Pure functions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from socket_gateway.errors import BadRequest

GENERAL, FEEDS = "general", "feeds"
_SYMBOL = re.compile(r"[A-Z0-9&-]{1,20}")
_KINDS = ("product", "chain", FEEDS, GENERAL)


@dataclass(frozen=True)
class Target:
    """A room, identified by kind and product. `general` and `feeds` have no product."""

    kind: str
    product: str = ""

    @property
    def room(self) -> str:
        return f"{self.kind}:{self.product}" if self.product else self.kind


def is_symbol(value: object) -> bool:
    """Return whether `value` is a product symbol as defined by the contracts."""
    return isinstance(value, str) and _SYMBOL.fullmatch(value) is not None


def parse_target(data: Any) -> Target:
    """Return the room that {type, symbol} names. Raises BadRequest with the invalid field."""
    if not isinstance(data, dict):
        raise BadRequest("the payload must be an object with `type` and `symbol`")
    if "type" not in data:
        raise BadRequest("`type` is missing")
    if data["type"] not in _KINDS:
        raise BadRequest('`type` must be "product", "chain" or "feeds" (or "general")')
    if data["type"] in (GENERAL, FEEDS):
        return Target(data["type"])
    if "symbol" not in data:
        raise BadRequest("`symbol` is missing")
    if not is_symbol(data["symbol"]):
        raise BadRequest("`symbol` must match ^[A-Z0-9&-]{1,20}$")
    return Target(data["type"], data["symbol"])
