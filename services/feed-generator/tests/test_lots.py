"""Lots belong to series: what the circulars say, and how a contract's lot changes during its life."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from itertools import pairwise

import pytest

from feed_generator.domain.rulebook import ProductRules, rules

STARTS = {
    "NIFTY": date(2017, 1, 2),
    "BANKNIFTY": date(2017, 1, 2),
    "FINNIFTY": date(2021, 3, 31),
    "MIDCPNIFTY": date(2022, 1, 24),
    "NIFTYNXT50": date(2024, 4, 24),
    "BANKEX": date(2023, 5, 15),
    "SENSEX": date(2023, 5, 15),  # BSE ended all contracts before, and listed new ones
}
LAST = date(2027, 12, 31)
WEEKLY_DAYS = 35
"""Four weekly contracts beside a monthly one are listed at a time."""
SERIAL_MONTHS = 3
"""Number of monthly contracts that are listed at a time."""
LONG_DATED = {"NIFTY": date(2017, 1, 2), "BANKNIFTY": date(2021, 1, 4), "SENSEX": date(2023, 5, 15)}
"""From when on contracts of March, June, September and December are listed a year ahead and longer."""
MAHARASHTRA_DAY = date(2020, 5, 1)
CHANGED_WHILE_LISTED = {
    ("BANKNIFTY", "2018-10-26"): {"weekly", "monthly"},  # halved for everybody
    ("NIFTY", "2021-06-25"): {"quarterly"},
    ("BANKNIFTY", "2023-06-30"): {"quarterly"},
    ("NIFTY", "2024-04-26"): {"weekly", "monthly", "quarterly"},  # halved for everybody
    ("BANKNIFTY", "2024-12-26"): {"quarterly"},
    ("NIFTY", "2024-12-27"): {"quarterly"},
    ("SENSEX", "2024-12-30"): {"quarterly"},
    ("BANKNIFTY", "2025-04-25"): {"quarterly"},
    ("BANKNIFTY", "2025-12-31"): {"quarterly"},
    ("NIFTY", "2025-12-31"): {"quarterly"},
}
"""The only changes of a lot during a contract's life, as the circulars state them, and of which kinds."""


@pytest.mark.parametrize(
    ("product", "day", "lots"),
    [
        ("NIFTY", "2014-11-03", {"2014-11-27": 25}),
        ("NIFTY", "2021-06-24", {"2021-06-24": 75, "2021-07-29": 50, "2021-08-05": 50, "2021-09-30": 75}),
        ("NIFTY", "2021-06-25", {"2021-07-01": 75, "2021-07-29": 50, "2021-09-30": 50, "2021-12-30": 50}),
        ("BANKNIFTY", "2018-10-25", {"2018-11-01": 40}),
        ("BANKNIFTY", "2018-10-26", {"2018-11-01": 20}),
        ("BANKNIFTY", "2020-07-01", {"2020-07-02": 20, "2020-07-23": 20, "2020-07-30": 25, "2020-08-06": 25}),
        ("BANKNIFTY", "2023-07-03", {"2023-07-06": 25, "2023-07-27": 15, "2023-08-03": 15, "2023-09-28": 15}),
        ("BANKNIFTY", "2023-06-29", {"2023-09-28": 25}),
        ("NIFTY", "2024-04-25", {"2024-05-02": 50, "2024-05-30": 50, "2024-06-27": 50}),
        ("NIFTY", "2024-04-26", {"2024-05-02": 25, "2024-05-30": 25, "2024-06-27": 25}),
        ("NIFTY", "2024-12-02", {"2024-12-19": 25, "2024-12-26": 25, "2025-01-02": 75, "2025-01-30": 25}),
        ("NIFTY", "2024-12-26", {"2025-02-27": 75, "2025-03-27": 25, "2025-06-26": 25}),
        ("NIFTY", "2024-12-27", {"2025-01-09": 75, "2025-01-30": 25, "2025-03-27": 75}),
        ("NIFTY", "2025-11-03", {"2025-12-23": 75, "2025-12-30": 75, "2026-01-27": 65, "2026-03-30": 75}),
        ("NIFTY", "2025-12-31", {"2026-01-06": 65, "2026-03-30": 65}),
        ("BANKNIFTY", "2024-06-21", {"2024-06-26": 15}),
        ("BANKNIFTY", "2025-01-02", {"2025-01-30": 15, "2025-02-27": 30, "2025-03-27": 30}),
        ("BANKNIFTY", "2025-05-02", {"2025-05-29": 30, "2025-06-26": 30, "2025-07-31": 35, "2025-09-30": 35}),
        ("BANKNIFTY", "2025-11-03", {"2025-12-30": 35, "2026-01-27": 30, "2026-03-30": 35}),
        ("FINNIFTY", "2024-07-01", {"2024-07-02": 40, "2024-07-23": 40, "2024-07-30": 25, "2024-08-06": 25}),
        ("FINNIFTY", "2024-12-02", {"2024-12-31": 25, "2025-01-30": 25, "2025-02-27": 65}),
        ("FINNIFTY", "2025-11-03", {"2025-12-30": 65, "2026-01-27": 60}),
        ("MIDCPNIFTY", "2024-07-01", {"2024-07-22": 75, "2024-07-29": 50, "2024-08-05": 50}),
        ("MIDCPNIFTY", "2024-12-02", {"2025-01-30": 50, "2025-02-27": 120}),
        ("MIDCPNIFTY", "2025-05-02", {"2025-06-26": 120, "2025-07-31": 140}),
        ("MIDCPNIFTY", "2025-11-03", {"2025-12-30": 140, "2026-01-27": 120}),
        ("SENSEX", "2025-01-02", {"2025-01-03": 10, "2025-01-07": 20, "2025-01-28": 10, "2025-02-25": 20}),
        ("NIFTYNXT50", "2024-12-02", {"2024-12-27": 10, "2025-01-30": 10, "2025-02-27": 25}),
        ("BANKEX", "2024-12-02", {"2024-12-30": 15, "2025-01-28": 15, "2025-02-25": 30}),
        ("AAPL", "2025-06-02", {"2025-06-06": 100}),
    ],
)
def test_a_lot_belongs_to_the_contracts_series(product: str, day: str, lots: dict[str, int]) -> None:
    """A revision leaves listed contracts alone until they expire, and long-dated ones until a day of theirs.

    The expected lots are those of the tables that the circulars contain, by kind of series.
    """
    rule = rules(product)
    found = {expiry: rule.lot_size(date.fromisoformat(expiry), date.fromisoformat(day)) for expiry in lots}
    assert found == lots


def expiries(rule: ProductRules, since: date, *, monthly_only: bool = False) -> list[date]:
    found: list[date] = []
    while not found or found[-1] < LAST:
        start = found[-1] + timedelta(days=1) if found else since
        found += rule.expiries(start, 1000, monthly_only=monthly_only)
    return found


def lives(rule: ProductRules) -> Iterator[tuple[str, date, date]]:
    """Yield the kind of every contract, and the first day of its life and its expiry."""
    start = STARTS[rule.name]
    monthly = expiries(rule, start, monthly_only=True)
    for expiry in expiries(rule, start):
        if expiry not in monthly:
            yield "weekly", max(start, expiry - timedelta(days=WEEKLY_DAYS)), expiry
    for number, expiry in enumerate(monthly):
        serial = monthly[number - SERIAL_MONTHS] + timedelta(days=1) if number >= SERIAL_MONTHS else start
        if expiry.month % 3 == 0 and expiry >= LONG_DATED.get(rule.name, date.max):
            yield "quarterly", max(LONG_DATED[rule.name], expiry - timedelta(days=730)), expiry
        else:
            yield "monthly", serial, expiry


@pytest.mark.parametrize("name", STARTS)
def test_a_contract_has_one_lot_for_its_life_unless_the_circular_says_otherwise(name: str) -> None:
    """Of all contracts from 2017 to 2027, only those of the table change, on the days of the table."""
    rule = rules(name)
    found: dict[tuple[str, str], set[str]] = {}
    for kind, listed, expiry in lives(rule):
        days = [listed + timedelta(days=ahead) for ahead in range((expiry - listed).days + 1)]
        sessions = [day for day in days if day.weekday() < 5 and day != MAHARASHTRA_DAY]
        for before, day in pairwise(sessions):
            if rule.lot_size(expiry, before) != rule.lot_size(expiry, day):
                found.setdefault((name, day.isoformat()), set()).add(kind)
    assert found == {key: kinds for key, kinds in CHANGED_WHILE_LISTED.items() if key[0] == name}
