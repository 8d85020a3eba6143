"""The rulebook: contract rules by date, and clear errors for unknown products and malformed entries."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from feed_generator.domain import rulebook
from feed_generator.domain.rulebook import ProductRules, all_rules, products, rules
from feed_generator.domain.sessions import SessionClock
from feed_generator.errors import BadRulebook, UnknownProduct

RULEBOOK = Path(rulebook.__file__).with_name("rulebook.json")


def test_the_rulebook_has_the_products_of_samples_and_readme() -> None:
    """The rulebook has the Indian and US products that the samples and the README use."""
    assert {"NIFTY", "BANKNIFTY", "FINNIFTY", "SENSEX", "SPY", "QQQ", "AAPL", "TSLA"} <= set(products())


@pytest.mark.parametrize("name", products())
def test_every_product_has_rules_and_expiries_at_any_date(name: str) -> None:
    """From 2005 to 2030, lots, strike steps and ticks are positive, and expiries are trading days."""
    rule = rules(name)
    for year in range(2005, 2031):
        day = date(year, 6, 15)
        contract = rule.contract(day)
        assert contract.strike_step > 0
        assert contract.ticks[0][0] == 0
        assert all(tick > 0 for _, tick in contract.ticks)
        found = rule.expiries(day, 4)
        assert found == sorted(set(found))
        assert len(found) == 4
        assert all(expiry >= day and rule.is_trading_day(expiry) for expiry in found)
        assert all(rule.lot_size(expiry, day) >= 1 for expiry in found)


@pytest.mark.parametrize(
    ("product", "since", "expected"),
    [
        ("NIFTY", "2024-06-21", ["2024-06-27", "2024-07-04", "2024-07-11"]),  # Thursdays
        ("NIFTY", "2025-08-25", ["2025-08-28", "2025-09-02", "2025-09-09"]),  # the change to Tuesdays
        ("NIFTY", "2025-10-14", ["2025-10-14", "2025-10-20", "2025-10-28"]),  # Diwali: the day before
        ("NIFTY", "2024-08-14", ["2024-08-14", "2024-08-22", "2024-08-29"]),  # Independence Day
        ("BANKNIFTY", "2023-09-01", ["2023-09-06", "2023-09-13", "2023-09-20"]),  # Wednesdays from 6 Sept.
        ("BANKNIFTY", "2024-11-07", ["2024-11-13", "2024-11-27", "2024-12-24"]),  # last weekly 13 November
        ("BANKNIFTY", "2025-11-01", ["2025-11-25", "2025-12-30", "2026-01-27"]),  # last Tuesdays
        ("FINNIFTY", "2024-11-12", ["2024-11-12", "2024-11-19", "2024-11-26"]),  # last weekly 19 November
        ("FINNIFTY", "2024-11-20", ["2024-11-26", "2024-12-31", "2025-01-30"]),
        ("MIDCPNIFTY", "2024-11-18", ["2024-11-18", "2024-11-25", "2024-12-30"]),  # last weekly 18 November
        ("SENSEX", "2024-12-26", ["2024-12-27", "2025-01-07", "2025-01-14"]),  # Fridays, then Tuesdays
        ("SENSEX", "2025-08-26", ["2025-08-26", "2025-09-04", "2025-09-11"]),  # Thursdays from 4 September
        ("SENSEX", "2023-05-08", ["2023-05-11", "2023-05-19", "2023-05-26"]),  # Thursdays, then Fridays
        ("SPX", "2025-11-24", ["2025-12-19", "2026-01-16", "2026-02-20"]),  # third Fridays
        ("SPXW", "2025-11-24", ["2025-11-24", "2025-11-25", "2025-11-26"]),  # every weekday
        ("SPXW", "2025-12-18", ["2025-12-18", "2025-12-19", "2025-12-22"]),  # also the third Friday
        ("SPY", "2025-11-26", ["2025-11-26", "2025-11-28", "2025-12-01"]),  # no expiry on Thanksgiving
        ("AAPL", "2025-11-24", ["2025-11-28", "2025-12-05", "2025-12-12"]),  # Fridays
        ("TSLA", "2026-06-29", ["2026-07-02", "2026-07-10", "2026-07-17"]),  # 3 July 2026 is a holiday
    ],
)
def test_expiries_are_those_of_the_exchanges(product: str, since: str, expected: list[str]) -> None:
    """The dates cover every change of the rules, and holidays that move an expiry to the day before."""
    found = rules(product).expiries(date.fromisoformat(since), 3)
    assert found == [date.fromisoformat(day) for day in expected]


@pytest.mark.parametrize(
    ("product", "since", "expected"),
    [
        ("AAPL", "2025-11-01", ["2025-11-21", "2025-12-19"]),
        ("NIFTY", "2025-09-01", ["2025-09-30", "2025-10-28"]),
    ],
)
def test_monthly_expiries_can_be_selected(product: str, since: str, expected: list[str]) -> None:
    """Monthly expiries are the third Friday in the US and the last Tuesday at NSE."""
    found = rules(product).expiries(date.fromisoformat(since), 2, monthly_only=True)
    assert [day.isoformat() for day in found] == expected


@pytest.mark.parametrize(
    ("product", "day", "lots"),
    [
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
        ("SENSEX", "2025-01-02", {"2025-01-07": 20, "2025-01-28": 10, "2025-02-25": 20}),
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


def test_a_series_settled_in_the_morning_expires_at_the_open() -> None:
    """SPX and SPXW expire on the same third Friday, six and a half hours apart."""
    friday = date(2024, 6, 21)
    spx, spxw = rules("SPX"), rules("SPXW")
    assert friday in spx.expiries(friday, 1)
    assert friday in spxw.expiries(friday, 1)
    assert (spx.settlement_session, spxw.settlement_session) == ("open", "close")
    assert spx.expiry_ns(friday) == int(datetime(2024, 6, 21, 13, 30, tzinfo=UTC).timestamp()) * 10**9
    assert spxw.expiry_ns(friday) - spx.expiry_ns(friday) == 6.5 * 3600 * 10**9


def test_expiry_times_follow_the_exchanges_wall_clock() -> None:
    """Expiries are at 15:30 in India and 16:00 in New York (and in summer time). No session on holidays."""

    def utc(*when: int) -> int:
        return int(datetime(*when, tzinfo=UTC).timestamp()) * 10**9  # type: ignore[misc]

    nifty, spy = rules("NIFTY"), rules("SPY")
    assert nifty.expiry_ns(date(2024, 6, 27)) == utc(2024, 6, 27, 10)
    assert spy.expiry_ns(date(2025, 7, 18)) == utc(2025, 7, 18, 20)
    assert spy.expiry_ns(date(2025, 12, 19)) == utc(2025, 12, 19, 21)
    assert nifty.local_date(utc(2024, 6, 26, 18, 29)) == date(2024, 6, 26)
    assert nifty.local_date(utc(2024, 6, 26, 18, 30)) == date(2024, 6, 27)
    assert not nifty.is_trading_day(date(2024, 6, 17))
    assert not nifty.is_trading_day(date(2024, 6, 22))

    clock = SessionClock(nifty)
    assert clock.fraction(utc(2024, 6, 27, 3, 45)) == 0
    assert clock.fraction(utc(2024, 6, 27, 6, 52, 30)) == 0.5
    assert clock.fraction(utc(2024, 6, 27, 10)) is None
    assert clock.fraction(utc(2024, 6, 17, 6)) is None
    assert clock.day == date(2024, 6, 17)


def test_an_unknown_product_is_reported_with_the_known_ones() -> None:
    """The message lists the products that may be used."""
    with pytest.raises(UnknownProduct) as caught:
        rules("NIFTI")
    assert str(caught.value) == f"PRODUCTS: the rulebook has no 'NIFTI'; it knows {', '.join(products())}"


def test_every_unknown_product_is_named_at_once() -> None:
    """The message lists all unknown names, so that a user can correct them in one go."""
    with pytest.raises(
        UnknownProduct, match=r"^PRODUCTS: the rulebook has no 'NIFTI', 'APPL'; it knows AAPL, "
    ):
        all_rules(["NIFTI", "NIFTY", "APPL"])


def test_a_date_before_all_rules_is_refused() -> None:
    """The rulebook does not guess a lot size."""
    with pytest.raises(UnknownProduct, match=r"^NIFTY: the rulebook has no lot_size for 1999-12-31$"):
        rules("NIFTY").lot_size(date(2000, 1, 27), date(1999, 12, 31))


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ProductRules]:
    """Loads NIFTY's rules from the given text instead of the rulebook."""

    def load(text: str) -> ProductRules:
        path = tmp_path / "rulebook.json"
        path.write_text(text)
        monkeypatch.setattr(rulebook, "_DATA", path)
        monkeypatch.setattr(rulebook, "_data", rulebook._data.__wrapped__)
        return rules("NIFTY")

    return load


def _without(*path: str) -> Callable[[Any], None]:
    def change(nifty: Any) -> None:
        for name in path[:-1]:
            nifty = nifty[name]
        del nifty[path[-1]]

    return change


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        (_without("lot_size"), "'lot_size' is missing or unknown"),
        (_without("market", "smile", "rho"), "rho"),
        (lambda nifty: nifty.update(exchange="XXXX"), "'XXXX' is missing or unknown"),
        (lambda nifty: nifty["tick"][0].update({"from": "June"}), "Invalid isoformat string: 'June'"),
        (lambda nifty: nifty["lot_size"].reverse(), "dates must ascend"),
        (lambda nifty: nifty["lot_size"][-1]["first"].update(daily="2026-01-01"), "first: has daily"),
        (lambda nifty: nifty.update(settlement="noon"), "settlement: must be open or close: 'noon'"),
        (lambda nifty: nifty["expiries"][0].update(weekly=["SOON"]), "SOON|not in tuple"),
        (lambda nifty: nifty["market"]["smile"].update(eta=3), "SSVI has butterfly arbitrage"),
        (lambda nifty: nifty["market"]["factors"].update(world=0.9), "must sum to less than 1"),
        (lambda nifty: nifty["market"].update(factors=3), "rulebook.json: NIFTY: "),
    ],
)
def test_a_malformed_entry_gives_one_line_with_file_product_and_rule(
    broken: Callable[[str], ProductRules], change: Callable[[Any], None], rule: str
) -> None:
    """The error names the fault in the entry, without a traceback."""
    data = json.loads(RULEBOOK.read_text())
    change(data["products"]["NIFTY"])
    with pytest.raises(BadRulebook, match=rule) as caught:
        broken(json.dumps(data))
    assert str(caught.value).startswith("rulebook.json: NIFTY: ")
    assert "\n" not in str(caught.value)


def test_a_rulebook_that_is_not_json_gives_one_line(broken: Callable[[str], ProductRules]) -> None:
    """The message has the position that the JSON parser reports."""
    with pytest.raises(BadRulebook, match=r"^rulebook.json: is not JSON: .* line 1 column 14"):
        broken('{"products": ')
