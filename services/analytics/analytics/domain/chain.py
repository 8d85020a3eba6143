"""One chain, whatever shape its source gives it: columns from the cache, rows from storage."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

from analytics.domain.values import Broken, Json, event_time, number, whole

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
    )
)
FORWARD_REASONS = frozenset(("too_few_pairs", "bad_fit", "expired", "discount_assumed"))
OI_UNITS = frozenset(("shares", "contracts"))
T = TypeVar("T")


@dataclass(frozen=True)
class Leg:
    """Calls or puts: a column is None if the source does not have it, else one entry a strike."""

    open_interest: list[int | None] | None
    open_interest_change: list[int | None] | None
    buildup: list[str | None] | None
    iv: list[float | None] | None
    iv_reason: list[str | None] | None


@dataclass(frozen=True)
class Chain:
    """A chain with what identifies it; every other field may be missing (see `number`)."""

    product: str
    expiry: str
    ts: int
    strikes: list[float]
    calls: Leg
    puts: Leg
    fields: Json

    def number(self, name: str) -> int | float | None:
        """A number of the chain, else None."""
        return number(self.fields.get(name))

    def price(self, name: str) -> int | float | None:
        """A number above 0 of the chain, else None."""
        found = self.number(name)
        return found if found is not None and found > 0 else None

    def whole(self, name: str) -> int | None:
        """An integer of the chain, else None."""
        return whole(self.fields.get(name))

    def text(self, name: str, among: frozenset[str]) -> str | None:
        """A word of the chain out of `among`, else None."""
        return _word(among)(self.fields.get(name))


def from_document(raw: Json, product: str, expiry: str) -> Chain:
    """Read a chain as it is cached or stored. Raises Broken if it is not a chain of this expiry."""
    if (raw.get("product"), raw.get("expiry")) != (product, expiry):
        raise Broken("product or expiry")  # a number under the wrong name is a wrong number
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
        open_interest=column("open_interest", whole),
        open_interest_change=column("open_interest_change", whole),
        buildup=column("buildup", _word(BUILDUPS)),
        iv=column("iv", _volatility),
        iv_reason=column("iv_reason", _word(IV_REASONS)),
    )


def _volatility(value: object) -> float | None:
    found = number(value)
    return float(found) if found is not None and found >= 0 else None


def _word(among: Sequence[str] | frozenset[str]) -> Callable[[object], str | None]:
    return lambda value: value if isinstance(value, str) and value in among else None
