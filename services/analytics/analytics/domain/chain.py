"""An option chain: read and check the document of the cache or of storage, which has one list per column."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

from analytics.domain.values import Broken, Json, event_time, number

BUILDUPS = ("long_buildup", "short_buildup", "long_unwinding", "short_covering", "neutral")
IV_REASONS = frozenset(
    (
        "no_quote",
        "zero_price",
        "below_intrinsic",
        "above_max",
        "expired",
        "crossed",
        "wide_spread",
        "info_lost",
        "no_forward",
        "american_exercise",
        "no_convergence",
        "bounds_unknown",
        "stale",
    )
)
FORWARD_REASONS = frozenset(("too_few_pairs", "bad_fit", "expired", "discount_assumed"))
OI_UNITS = frozenset(("shares", "contracts"))
TOO_SMALL = frozenset(("one_strike", "one_side"))
MAX_PAIN_REASONS = TOO_SMALL | {"no_open_interest"}
T = TypeVar("T")


@dataclass(frozen=True)
class Leg:
    """The calls or the puts of a chain.

    A column has one entry per strike. It is None if the source lacks it or if its length is wrong.
    """

    open_interest: list[int | float | None] | None
    open_interest_change: list[int | float | None] | None
    buildup: list[str | None] | None
    iv: list[float | None] | None
    iv_reason: list[str | None] | None


@dataclass(frozen=True)
class Chain:
    """The chain of a product and an expiry at the event time `ts` (nanoseconds); `strikes` are ascending.

    `fields` is the source's document. Its other fields may be missing or invalid; then the methods that read
    them return None.
    """

    product: str
    expiry: str
    ts: int
    strikes: list[float]
    calls: Leg
    puts: Leg
    fields: Json

    def number(self, name: str) -> int | float | None:
        """Return the field as a number, or None."""
        return number(self.fields.get(name))

    def price(self, name: str) -> int | float | None:
        """Return the field as a number above 0, or None."""
        found = self.number(name)
        return found if found is not None and found > 0 else None

    def text(self, name: str, allowed: frozenset[str]) -> str | None:
        """Return the field if it is one of the words in `allowed`, or None."""
        return _word(allowed)(self.fields.get(name))


def from_document(raw: Json, product: str, expiry: str) -> Chain:
    """Read a cached or stored chain.

    Raises Broken if the time or the strikes are invalid, or if the document belongs to another product or
    expiry.
    """
    if (raw.get("product"), raw.get("expiry")) != (product, expiry):
        raise Broken("product or expiry")  # otherwise the response would show numbers of another chain
    strikes = _strikes(raw.get("strikes"))
    return Chain(
        product=product,
        expiry=expiry,
        ts=event_time(raw.get("ts")),
        strikes=strikes,
        calls=_leg(raw.get("calls"), len(strikes)),
        puts=_leg(raw.get("puts"), len(strikes)),
        fields=raw,
    )


def _strikes(values: object) -> list[float]:
    found = [number(value) for value in values] if isinstance(values, list) else []
    strikes = [float(value) for value in found if value is not None]
    if not strikes or len(strikes) != len(found) or strikes[0] <= 0:
        raise Broken("strikes")
    if any(low >= high for low, high in pairwise(strikes)):
        raise Broken("strikes")
    return strikes


def _leg(side: object, size: int) -> Leg:
    columns = side if isinstance(side, dict) else {}

    def column(name: str, read: Callable[[object], T | None]) -> list[T | None] | None:
        values = columns.get(name)
        if not isinstance(values, list) or len(values) != size:
            return None
        return [read(value) for value in values]

    return Leg(
        open_interest=column("open_interest", number),
        open_interest_change=column("open_interest_change", number),
        buildup=column("buildup", _word(BUILDUPS)),
        iv=column("iv", _volatility),
        iv_reason=column("iv_reason", _word(IV_REASONS)),
    )


def _volatility(value: object) -> float | None:
    found = number(value)
    return float(found) if found is not None and found >= 0 else None


def _word(allowed: Sequence[str] | frozenset[str]) -> Callable[[object], str | None]:
    return lambda value: value if isinstance(value, str) and value in allowed else None
