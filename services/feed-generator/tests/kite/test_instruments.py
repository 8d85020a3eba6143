"""Kite's instrument list becomes products, expiries, strikes and lots, and fits into its connections."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime

import pytest
from tests.support.recorded_kite import FOLDER, needs_recordings

from feed_generator.live.exchange import Misconfigured
from feed_generator.live.kite.connections import allowed, distribute
from feed_generator.live.kite.instruments import Contract, Instruments, read
from feed_generator.live.kite.market import Market

HEADER = (
    "instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,lot_size,"
    "instrument_type,segment,exchange"
)
SPOTS = (
    "256265,1001,NIFTY 50,NIFTY 50,0,,0,0,0,EQ,INDICES,NSE",
    "265,1,SENSEX,SENSEX,0,,0,0,0,EQ,INDICES,BSE",
    '738561,2885,RELIANCE,"RELIANCE INDUSTRIES, LTD",0,,0,0.05,1,EQ,NSE,NSE',
    "128083204,500325,RELIANCE,RELIANCE INDUSTRIES,0,,0,0.05,1,EQ,BSE,BSE",
)
CALL = "10244610,40018,NIFTY25N2526000CE,NIFTY,0,2025-11-25,26000,0.05,75,CE,NFO-OPT,NFO"
PUT = "10244866,40019,NIFTY25N2526000PE,NIFTY,0,2025-11-25,26000,0.05,75,PE,NFO-OPT,NFO"
NEXT = "10245122,40020,NIFTY25D0226050CE,NIFTY,0,2025-12-02,26050,0.05,75,CE,NFO-OPT,NFO"
FUTURE = "9484546,37049,NIFTY25NOVFUT,NIFTY,0,2025-11-25,0,0.1,75,FUT,NFO-FUT,NFO"
BSE_STOCK = "220001029,859379,RELIANCE25NOV1500CE,RELIANCE,0,2025-11-27,1500,0.05,500,CE,BFO-OPT,BFO"
STOCK = "30000130,117188,RELIANCE25NOV1500CE,RELIANCE,0,2025-11-25,1500,0.05,500,CE,NFO-OPT,NFO"
UNNAMED = "218804229,854704,SENSEX25NOV85000PE,,0,2025-11-27,85000,0.05,20,PE,BFO-OPT,BFO"
UNNAMED_50 = "218804485,854705,SENSEX5025NOV27000PE,,0,2025-11-27,27000,0.05,60,PE,BFO-OPT,BFO"


def listed(*rows: str, wanted: Sequence[str] = ("NIFTY",)) -> Instruments:
    return read([HEADER, *SPOTS, *rows], wanted)


def ns(*when: int) -> int:
    return int(datetime(*when, tzinfo=UTC).timestamp()) * 10**9  # type: ignore[arg-type, misc]


def test_an_option_row_is_a_contract_of_its_product() -> None:
    nifty = listed(PUT, FUTURE, CALL).products["NIFTY"]
    assert nifty.spot_token == 256265
    assert nifty.contracts == (
        Contract(10244866, "NIFTY", date(2025, 11, 25), 26000.0, False, 75, 0.05),
        Contract(10244610, "NIFTY", date(2025, 11, 25), 26000.0, True, 75, 0.05),
    )


def test_a_contract_expires_at_the_close_in_india() -> None:
    assert listed(CALL).products["NIFTY"].contracts[0].expiry_ns == ns(2025, 11, 25, 10, 0)


def test_the_nearest_expiries_are_those_that_have_not_passed() -> None:
    """A list of the morning still has the contracts that expire in the afternoon."""
    nifty = listed(CALL, PUT, NEXT).products["NIFTY"]
    before, after = ns(2025, 11, 25, 9, 59), ns(2025, 11, 25, 10, 0)
    assert {one.expiry.day for one in nifty.nearest(1, before)} == {25}
    assert {one.expiry.day for one in nifty.nearest(1, after)} == {2}
    assert len(nifty.nearest(4, before)) == 3


def test_a_stock_with_options_at_both_exchanges_is_read_from_nse() -> None:
    both = listed(BSE_STOCK, STOCK, wanted=["RELIANCE"]).products["RELIANCE"]
    only_bse = listed(BSE_STOCK, wanted=["RELIANCE"]).products["RELIANCE"]
    assert (both.exchange, both.spot_token) == ("NSE", 738561)
    assert (only_bse.exchange, only_bse.spot_token) == ("BSE", 128083204)


@pytest.mark.parametrize("product", ["M&M", "BAJAJ-AUTO", "360ONE"])
def test_a_stock_may_have_signs_and_digits_in_its_name(product: str) -> None:
    """Its options are of the stock that is named exactly so, not of one of its other series."""
    rows = (
        f"519937,2031,{product},A STOCK,0,,0,0.05,1,EQ,NSE,NSE",
        f"519938,2031,{product}-BL,A STOCK,0,,0,0.05,1,EQ,NSE,NSE",
        f"30000386,117189,{product}25NOV3600CE,{product},0,2025-11-25,3600,0.05,200,CE,NFO-OPT,NFO",
    )
    found = listed(*rows, wanted=[product]).products[product]
    (listing,) = Market({product: (found.spot_token, found.contracts)}).listings()
    assert found.spot_token == 519937
    assert listing.contracts[0].symbol == f"{product}20251125C3600"


def test_a_row_without_a_name_belongs_to_the_product_in_its_symbol() -> None:
    found = listed(UNNAMED, UNNAMED_50, wanted=["SENSEX"])
    assert [one.strike for one in found.products["SENSEX"].contracts] == [85000.0]


def test_a_product_that_the_list_does_not_have_is_missing_with_the_reason() -> None:
    found = listed(CALL, "1,1,ABC25NOV10CE,ABC,0,2025-11-25,10,0.05,1,CE,NFO-OPT,NFO", wanted=["ABC", "XYZ"])
    assert found.products == {}
    assert found.missing == {
        "ABC": "the instrument list has no underlying NSE:ABC",
        "XYZ": "the instrument list has no options of it at NFO or BFO",
    }


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (CALL.replace("26000,", "-1,"), "line 6, column strike: must be a number above 0"),
        (CALL.replace("26000,", "nan,"), "line 6, column strike: must be a number above 0"),
        (CALL.replace("2025-11-25", "25-11-2025"), "line 6, column expiry: must be a date YYYY-MM-DD"),
        (CALL.replace(",75,", ",0,"), "line 6, column lot_size: must be a whole number"),
        (CALL.replace("10244610", "9" * 5000), "line 6, column instrument_token: must be a whole number"),
        (CALL[:60], "line 6, has 8 cells, the header has 12"),
        (PUT, "line 7, column strike: 26000 of 2025-11-25 stands twice"),
    ],
)
def test_a_row_that_is_not_usable_is_skipped_counted_and_said(row: str, problem: str) -> None:
    found = listed(row, PUT)
    assert found.skipped == 1
    assert found.first_skipped.startswith(problem)
    assert len(found.products["NIFTY"].contracts) == 1


def test_a_wrong_row_of_another_product_does_not_matter() -> None:
    assert listed(CALL, NEXT.replace("NIFTY", "OTHER").replace("26050", "x")).skipped == 0


@pytest.mark.parametrize(
    ("lines", "rule"),
    [
        (
            ["<!DOCTYPE html>", "<html>"],
            "not Kite's instrument list: no column instrument_token in ",
        ),
        ([], "is empty. Kite makes it each morning"),
        ([HEADER], "is empty. Kite makes it each morning"),
        ([HEADER, "a" * 200_000], "not Kite's instrument list: line 2"),
    ],
)
def test_what_is_no_instrument_list_is_refused_with_the_reason(lines: list[str], rule: str) -> None:
    with pytest.raises(Misconfigured, match=rule):
        read(lines, ["NIFTY"])


@needs_recordings
def test_the_recorded_head_of_the_list_reads_without_a_problem() -> None:
    lines = (FOLDER / "instruments_nse_head.csv").read_text().splitlines()
    found = read(lines, ["CHENNPETRO"])
    assert found.skipped == 0
    assert "no options" in found.missing["CHENNPETRO"]


def test_instruments_fill_one_connection_after_the_other() -> None:
    tokens = list(range(1, 6002))
    connections = distribute(tokens, 3)
    assert [len(one) for one in connections] == [3000, 3000, 1]
    assert [token for one in connections for token in one] == tokens
    assert distribute([], 3) == []


def test_more_instruments_than_the_connections_carry_are_refused_with_the_fix() -> None:
    with pytest.raises(Misconfigured, match=r"3001 instruments.*allows 1 connections.*spec\.source"):
        distribute(range(3001), 1)


def test_the_generators_of_a_feed_share_its_three_connections() -> None:
    shares = [[allowed(index, count) for index in range(count)] for count in range(1, 5)]
    assert shares == [[3], [2, 1], [1, 1, 1], [1, 1, 1, 0]]
