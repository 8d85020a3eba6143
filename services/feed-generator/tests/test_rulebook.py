"""The rulebook: contract rules by date, and clear errors for unknown products and malformed entries."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

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
    """From 2024 to 2030, lots, strike steps and ticks are positive, and expiries are trading days."""
    rule = rules(name)
    for year in range(2024, 2031):
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
        ("BANKNIFTY", "2023-09-21", ["2023-09-28", "2023-10-04", "2023-10-11"]),  # none beside the monthly
        ("BANKNIFTY", "2024-02-22", ["2024-02-29", "2024-03-06", "2024-03-13"]),
        ("BANKNIFTY", "2024-11-07", ["2024-11-13", "2024-11-27", "2024-12-24"]),  # last weekly 13 November
        ("BANKNIFTY", "2025-11-01", ["2025-11-25", "2025-12-30", "2026-01-27"]),  # last Tuesdays
        ("FINNIFTY", "2024-11-12", ["2024-11-12", "2024-11-19", "2024-11-26"]),  # last weekly 19 November
        ("FINNIFTY", "2024-11-20", ["2024-11-26", "2024-12-31", "2025-01-30"]),
        ("MIDCPNIFTY", "2023-04-24", ["2023-04-25", "2023-05-03", "2023-05-10"]),  # Tuesdays, Wednesdays
        ("MIDCPNIFTY", "2023-08-10", ["2023-08-16", "2023-08-21", "2023-08-28"]),  # then Mondays
        ("FINNIFTY", "2021-10-10", ["2021-10-14", "2021-10-19", "2021-10-26"]),  # Thursdays, then Tuesdays
        ("MIDCPNIFTY", "2024-11-18", ["2024-11-18", "2024-11-25", "2024-12-30"]),  # last weekly 18 November
        ("SENSEX", "2024-12-28", ["2025-01-03", "2025-01-07", "2025-01-14"]),  # Fridays, then Tuesdays
        ("SENSEX", "2026-01-09", ["2026-01-14", "2026-01-22", "2026-01-29"]),  # an election on the 15th
        ("SENSEX", "2025-08-26", ["2025-08-26", "2025-09-04", "2025-09-11"]),  # Thursdays from 4 September
        ("SENSEX", "2023-05-08", ["2023-05-11", "2023-05-19", "2023-05-26"]),  # Thursdays, then Fridays
        ("NIFTYNXT50", "2024-12-01", ["2024-12-27", "2025-01-30", "2025-02-27"]),  # Fridays, then Thursdays
        ("BANKEX", "2023-10-10", ["2023-10-13", "2023-10-16", "2023-10-23"]),  # Fridays, then Mondays
        ("BANKEX", "2024-11-12", ["2024-11-18", "2024-11-25", "2024-12-30"]),  # last weekly 18 November
        ("BANKEX", "2025-08-01", ["2025-08-26", "2025-09-25", "2025-10-30"]),  # Tuesdays, then Thursdays
        ("SPX", "2025-11-24", ["2025-12-19", "2026-01-16", "2026-02-20"]),  # third Fridays
        ("SPX", "2025-04-01", ["2025-04-17", "2025-05-16", "2025-06-20"]),  # Good Friday: the Thursday
        ("SPX", "2027-06-01", ["2027-06-17", "2027-07-16", "2027-08-20"]),  # Juneteenth is on a Saturday
        ("SPXW", "2025-11-24", ["2025-11-24", "2025-11-25", "2025-11-26"]),  # every weekday
        ("SPXW", "2025-12-18", ["2025-12-18", "2025-12-19", "2025-12-22"]),  # also the third Friday
        ("SPY", "2025-11-26", ["2025-11-26", "2025-11-28", "2025-12-01"]),  # no expiry on Thanksgiving
        ("AAPL", "2025-11-24", ["2025-11-28", "2025-12-05", "2025-12-12"]),  # Fridays
        ("TSLA", "2026-01-20", ["2026-01-23", "2026-01-30", "2026-02-02"]),  # Mondays and Wednesdays too
        ("TSLA", "2026-07-01", ["2026-07-01", "2026-07-02", "2026-07-06"]),  # 3 July 2026 is a holiday
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

    nifty, spy, spx = rules("NIFTY"), rules("SPY"), rules("SPX")
    assert spx.expiry_ns(date(2025, 3, 21)) == utc(2025, 3, 21, 13, 30)  # summer time since 9 March
    assert spx.expiry_ns(date(2025, 2, 21)) == utc(2025, 2, 21, 14, 30)
    assert spx.expiry_ns(date(2025, 4, 17)) == utc(2025, 4, 17, 13, 30)
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


@pytest.mark.parametrize("day", ["2024-11-29", "2025-07-03", "2025-12-24", "2026-11-27"])
def test_contracts_expire_at_an_early_close(day: str) -> None:
    """The day after Thanksgiving and two eves end at 13:00 in New York. The open is as usual."""
    spy, closes = rules("SPY"), date.fromisoformat(day)
    local = datetime(closes.year, closes.month, closes.day, 13, tzinfo=ZoneInfo("America/New_York"))
    assert spy.expiry_ns(closes) == int(local.timestamp()) * 10**9
    opens, _ = spy.session_ns(closes)
    assert spy.expiry_ns(closes) - opens == 3.5 * 3600 * 10**9


def test_every_lot_and_expiry_rule_names_its_source() -> None:
    """A row is of one of the sources, or it says that it is from memory. No source is left over."""
    data = json.loads(RULEBOOK.read_text())
    named = {
        (what, row["by"])
        for product in data["products"].values()
        for what in ("lot_size", "expiries")
        for row in product[what]
    }
    assert {by for _, by in named} - {"unchecked"} == set(data["sources"])
    assert all(source["read"].startswith("http") for source in data["sources"].values())
    revised = {name for name in data["products"] if data["products"][name]["currency"] == "INR"}
    for name in revised:
        since_2016 = [row for row in data["products"][name]["lot_size"] if row["from"] > "2016"]
        assert since_2016
        assert all(row["by"] != "unchecked" for row in since_2016)


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
    with pytest.raises(UnknownProduct, match=r"^NIFTY: .* no lot_size for 2009-12-31; define the product"):
        rules("NIFTY").lot_size(date(2010, 1, 28), date(2009, 12, 31))


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
        (lambda nifty: nifty["lot_size"][0].update(value=0), "lot_size: must be a whole number of at least"),
        (lambda nifty: nifty["lot_size"][0].update(value=1.5), "whole number of at least 1: 1.5"),
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
