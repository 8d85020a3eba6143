"""Compare our implied volatilities with those that the source publishes itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import UNSET

from worker_enricher.messages import Legs, Vendor


def leg_differences(legs: Legs, iv: Sequence[float | None]) -> dict[str, Any]:
    """Return the column `vendor_iv_difference` of a chain's side: ours minus theirs, None without either.

    Returns an empty dict if the source publishes no volatilities. `iv` has one entry per strike.
    """
    theirs = legs.vendor_iv
    if theirs is UNSET:
        return {}
    return {"vendor_iv_difference": [_difference(*pair) for pair in zip(iv, theirs, strict=True)]}


def quote_difference(vendor: Vendor, iv: float | None) -> dict[str, Any]:
    """Return `vendor_iv_difference` of a quote, or an empty dict if the source publishes no volatility."""
    return {} if vendor.iv is UNSET else {"vendor_iv_difference": _difference(iv, vendor.iv)}


def _difference(ours: float | None, theirs: float | None) -> float | None:
    return None if ours is None or theirs is None else ours - theirs
