"""Lot sizes by contract series: an exchange's revision applies to some contracts and leaves others alone.

A revision names the trading day from which it applies and, for each kind of series, the first expiry that it
applies to. Contracts that are already listed usually keep their lot until they expire, and long-dated ones
change theirs on a day of their own. Without first expiries a revision applies to all contracts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, get_args

Kind = Literal["weekly", "monthly", "quarterly"]
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class LotRevision:
    """The lot `value` of contracts that trade on `since` or later and are not before the first of their kind.

    A kind of series that `first` does not name keeps its lot. `first` is None if all contracts change.
    """

    since: date
    value: int
    first: dict[Kind, date] | None

    def applies(self, expiry: date, kind: Kind, day: date) -> bool:
        """Return whether the contract that expires on `expiry` has this lot on the trading day `day`."""
        if day < self.since:
            return False
        if self.first is None:
            return True
        return kind in self.first and expiry >= self.first[kind]


def revisions(rows: Sequence[dict[str, Any]]) -> list[LotRevision]:
    """Read the rows of the rulebook. Raises ValueError or KeyError if one is wrong or they do not ascend."""
    found = [
        LotRevision(
            since=date.fromisoformat(row["from"]),
            value=_whole(row["value"]),
            first=_first(row["first"]) if "first" in row else None,
        )
        for row in rows
    ]
    if [one.since for one in found] != sorted(one.since for one in found):
        raise ValueError("dates must ascend")
    return found


def _whole(value: object) -> int:
    if not isinstance(value, int) or value < 1:
        raise ValueError(f"lot_size: must be a whole number of at least 1: {value}")
    return value


def _first(expiries: dict[Kind, str]) -> dict[Kind, date]:
    if unknown := set(expiries) - set(KINDS):
        raise ValueError(f"first: has {', '.join(sorted(unknown))}, but the kinds are {', '.join(KINDS)}")
    return {kind: date.fromisoformat(day) for kind, day in expiries.items()}


def lot(rows: Sequence[LotRevision], expiry: date, kind: Kind, day: date) -> int | None:
    """Return the lot of a contract on a trading day: that of the last revision that applies, or None."""
    return next((row.value for row in reversed(rows) if row.applies(expiry, kind, day)), None)
