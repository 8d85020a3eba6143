"""JSON merge patches: what is absent in one stays, so what is to go must be named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def patch(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """The patch that makes `new` of `old`: all of `new`, and null for what only `old` has. Pure."""
    made: dict[str, Any] = {key: None for key in old if key not in new}
    for key, value in new.items():
        before = old.get(key)
        nested = isinstance(value, Mapping) and isinstance(before, Mapping)
        made[key] = patch(before, value) if nested else value  # type: ignore[arg-type]
    return made
