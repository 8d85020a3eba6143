"""Turn numbers into text: with the product's decimals, grouped digits and units in the column's title."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

MISSING = "-"
_REASONS = {
    "no_quote": "no bid or no ask",
    "zero_price": "the price is zero",
    "below_intrinsic": "below intrinsic value",
    "above_max": "above the highest possible price",
    "expired": "expired",
    "crossed": "bid above ask",
    "wide_spread": "spread too wide",
    "info_lost": "too deep in the money",
    "no_forward": "no usable forward",
    "american_exercise": "American exercise",
    "no_convergence": "no convergence",
    "bounds_unknown": "outside bounds at the estimated forward",
    "stale": "quote too old",
    "one_strike": "only one strike",
    "one_side": "only calls or only puts",
    "no_call_open_interest": "no open interest of calls",
    "no_put_open_interest": "no open interest of puts",
    "no_open_interest": "no open interest",
    "no_call_volume": "no volume of calls",
    "no_put_volume": "no volume of puts",
    "too_few_pairs": "too few pairs of call and put",
    "bad_fit": "calls and puts disagree on a forward",
    "discount_assumed": "discount assumed",
}


def reason(code: str | None) -> str | None:
    """Return a reason of the contracts in words."""
    return None if code is None else _REASONS.get(code, code.replace("_", " "))


def decimals(prices: Iterable[float | None], least: int) -> int:
    """Return the number of decimals that shows every price exactly: at least `least`, at most 6."""
    exponents = (Decimal(repr(float(price))).normalize().as_tuple().exponent for price in prices if price)
    return min(6, max([least, *(-each for each in exponents if isinstance(each, int))]))


def text(value: str | int | float | bool | list[str] | None, kind: str, places: int) -> str:
    """Return `value` as text for a column of this kind; None is `-`."""
    if value is None:
        return MISSING
    if isinstance(value, list):
        return " ".join(value)
    if isinstance(value, str | bool):
        return str(value)
    match kind:
        case "price" | "strike":
            return f"{value:,.{places}f}"
        case "count":
            return f"{value:,}"
        case "percent":
            return f"{value * 100:.2f}"
        case "ratio":
            return f"{value:.4f}"
        case "seconds":
            return duration(value)
        case _:
            return f"{value:,.2f}"


def duration(seconds: float) -> str:
    """Return a time span in its two largest units: 4.2 s, 3 min 5 s, 2 h 10 min, 6 d 3 h."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    for unit, size, small, part in (("d", 86_400, "h", 3_600), ("h", 3_600, "min", 60), ("min", 60, "s", 1)):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // part} {small}"
    return f"{whole} s"


def size(count: int) -> str:
    """Return a number of bytes as text, in powers of 1000."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000 or unit == "GB":
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    raise AssertionError
