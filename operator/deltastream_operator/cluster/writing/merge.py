"""Build JSON merge patches. A field that the patch omits is kept, so removed fields must be null."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def patch(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return the patch from `old` to `new`: all of `new`, and null for each field that only `old` has."""
    made: dict[str, Any] = {key: None for key in old if key not in new}
    for key, value in new.items():
        before = old.get(key)
        nested = isinstance(value, Mapping) and isinstance(before, Mapping)
        made[key] = patch(before, value) if nested else value  # type: ignore[arg-type]
    return made
