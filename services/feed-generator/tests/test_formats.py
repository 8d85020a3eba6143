"""Files as people have them: each export's values in our units, and what the file does not say."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from feed_generator.errors import BadRecording, UnknownProduct
from feed_generator.sources.loading import Loaded
from feed_generator.sources.recording import RecordedChain, Snapshot

Load = Callable[..., Loaded]
FILES = Path(__file__).with_name("files")
NSE = FILES / "option-chain-ED-NIFTY-27-Jun-2024.csv"
CBOE, YAHOO, DERIBIT = (
    FILES / name for name in ("cboe_quotes_export.csv", "yahoo_like.csv", "deribit_rows.csv")
)
NSE_TIME = datetime(2024, 6, 21, 10, 0, tzinfo=UTC)  # 15:30 in India
YAHOO_TIME = datetime(2025, 2, 13, 21, 0, tzinfo=UTC)


def _only(snapshots: list[Snapshot]) -> tuple[Snapshot, RecordedChain]:
    (snapshot,) = snapshots
    (chain,) = snapshot.chains.values()
    return snapshot, chain


def test_nse_open_interest_becomes_shares_and_quantities_stay(load: Load) -> None:
    """A lot of NIFTY was 25 in June 2024. The previous day's values come from the changes."""
    _, chain = _only(load(str(NSE), as_of=NSE_TIME).snapshots)
    assert (chain.expiry, chain.stated.oi_unit, len(chain.strikes)) == (date(2024, 6, 27), "shares", 13)
    call, put = chain.legs[23500.0, True], chain.legs[23500.0, False]
    assert call == {
        "bid": 526.25,
        "ask": 531.65,
        "last": 528.95,
        "bid_size": 125375,
        "ask_size": 196925,
        "volume": 34619 * 25,
        "open_interest": 78136 * 25,
        "previous_close": 551.76,
        "previous_open_interest": (78136 - 4636) * 25,
    }
    assert (put["bid"], put["ask_size"], put["open_interest"]) == (16.40, 23350, 91301 * 25)
    assert chain.vendor[23500.0, True] == {"iv": 0.1267}
    assert chain.legs[24000.0, False]["open_interest"] == 103270 * 25  # written as 1,03,270


def test_a_dash_of_nse_means_none(load: Load) -> None:
    """It is a 0 of open interest and volume, and no volatility."""
    _, chain = _only(load(str(NSE), as_of=NSE_TIME).snapshots)
    leg = chain.legs[21000.0, False]
    assert (leg["open_interest"], leg["volume"], leg["ask"]) == (0, 0, 0.05)
    assert (21000.0, False) not in chain.vendor


def test_the_spot_that_nse_does_not_state_comes_from_parity_and_is_said(load: Load) -> None:
    """The derived spot lies within the quotes of the pair at the money, and the note says how it was made."""
    loaded = load(str(NSE), as_of=NSE_TIME)
    (snapshot,) = loaded.snapshots
    # At 24,000: 153.00 to 154.65 for the call, 140.65 to 142.20 for the put, 6 days of carry at 6.5 %.
    carried = 24000 * (1 - 0.065 * 6 / 365)
    assert carried + 153.00 - 142.20 <= snapshot.spot <= carried + 154.65 - 140.65
    assert any("the spot is derived from put-call parity" in note for note in loaded.notes)
    stated = load(str(NSE), as_of=NSE_TIME, spot=23998.5)
    assert stated.snapshots[0].spot == 23998.5
    assert not any("parity" in note for note in stated.notes)


def test_all_that_an_nse_file_does_not_say_is_asked_for_at_once(load: Load, tmp_path: Path) -> None:
    """A renamed file has lost its product and its expiry, and no file of NSE has a time."""
    path = shutil.copy(NSE, tmp_path / "chain.csv")
    with pytest.raises(BadRecording) as caught:
        load(str(path), "NIFTY", "BANKNIFTY")
    for asked in ("its product (PRODUCTS)", "expiry of its contracts (REPLAY_EXPIRY)", "(REPLAY_AS_OF)"):
        assert asked in str(caught.value)
    loaded = load(str(path), "NIFTY", as_of=NSE_TIME, expiry=date(2024, 6, 27))
    assert loaded.snapshots[0].chains.keys() == {date(2024, 6, 27)}


def test_several_files_of_a_day_are_a_session(load: Load, tmp_path: Path) -> None:
    """The time in a file's name is India's. Files of other expiries at that time join its snapshot."""
    times = {"2024-06-21T153000": "15:30", "2024-06-21T093000": "09:30", "20240621_1215": "12:15"}
    for text in times:
        shutil.copy(NSE, tmp_path / f"option-chain-ED-NIFTY-27-Jun-2024_{text}.csv")
    shutil.copy(NSE, tmp_path / "option-chain-ED-NIFTY-04-Jul-2024_2024-06-21T093000.csv")
    snapshots = load(str(tmp_path)).snapshots
    at = [datetime.fromtimestamp(one.ts / 1e9, UTC).strftime("%H:%M") for one in snapshots]
    assert at == ["04:00", "06:45", "10:00"]
    assert [len(one.chains) for one in snapshots] == [2, 1, 1]


def test_two_files_of_one_time_and_expiry_are_refused(load: Load, tmp_path: Path) -> None:
    """Without a time in their names two downloads of a day would be one snapshot."""
    shutil.copy(NSE, tmp_path / NSE.name)
    shutil.copy(NSE, tmp_path / NSE.name.replace(".csv", " (1).csv"))
    with pytest.raises(BadRecording, match=r"line 3, column strike: 21000 C appears twice .* \(and 25 more"):
        load(str(tmp_path), as_of=NSE_TIME)


def test_cboe_roots_are_products_of_their_own(load: Load) -> None:
    """SPX and SPXW have the same strikes on the same date, and their legs do not mix."""
    loaded = load(str(CBOE), "SPX", "SPXW")
    assert loaded.format == "cboe"
    spx, spxw = loaded.snapshots
    assert (spx.product, spxw.product, spx.spot, spxw.spot) == ("SPX", "SPXW", 4500.5298, 4500.5298)
    assert spx.ts == spxw.ts == int(datetime(2022, 2, 4, 21, 15, tzinfo=UTC).timestamp()) * 10**9
    (chain,), (weekly,) = spx.chains.values(), spxw.chains.values()
    assert chain.expiry == weekly.expiry == date(2022, 2, 18)
    assert chain.strikes == weekly.strikes
    key = 4500.0, True
    assert (chain.legs[key]["open_interest"], weekly.legs[key]["open_interest"]) == (8712, 4484)
    assert (chain.legs[key]["bid"], weekly.legs[key]["bid"]) == (65.90, 66.55)
    assert chain.stated.oi_unit == "contracts"
    assert chain.vendor[key] == {"iv": 0.1904}


@pytest.mark.parametrize(
    ("file", "products", "as_of"),
    [(CBOE, ("SPX", "SPXW"), None), (YAHOO, ("NVDA",), YAHOO_TIME), (DERIBIT, ("BTC",), None)],
)
def test_the_previous_open_interest_is_unknown_where_the_file_does_not_state_it(
    load: Load, file: Path, products: tuple[str, ...], as_of: datetime | None
) -> None:
    """Neither 0 nor the present one: the file says nothing about a change."""
    snapshots = load(str(file), *products, as_of=as_of).snapshots
    legs = [leg for one in snapshots for chain in one.chains.values() for leg in chain.legs.values()]
    assert any(leg["open_interest"] for leg in legs)
    assert not any("previous_open_interest" in leg for leg in legs)


def test_a_root_that_the_feed_does_not_list_is_refused(load: Load) -> None:
    """The message names the root and the setting: nothing of a file is dropped in silence."""
    with pytest.raises(BadRecording, match=r"'SPXW', but the feed lists SPX: add it \(PRODUCTS\).*17 more"):
        load(str(CBOE), "SPX")


def test_the_name_of_the_zone_is_the_exchanges_clock(load: Load, tmp_path: Path) -> None:
    """A file of July that says EST means New York's summer time, and the note says so."""
    text = CBOE.read_text().replace("February 4 2022, 4:15 PM EST", "July 5, 2022 at 4:15 PM EST")
    text = text.replace("Fri Feb 18 2022", "Fri Jul 15 2022").replace("220218", "220715")
    (tmp_path / "july.csv").write_text(text)
    loaded = load(str(tmp_path / "july.csv"), "SPX", "SPXW")
    assert loaded.snapshots[0].ts == int(datetime(2022, 7, 5, 20, 15, tzinfo=UTC).timestamp()) * 10**9
    assert any("America/New_York's clock, though the file says EST" in note for note in loaded.notes)


OLD_HEAD = """SPX (S&P 500 INDEX),4500.53,+23.09,
Feb 04 2022 @ 16:15 ET,Bid,4498.5,Ask,4502.43,Size,1x1,Vol,0,"""


@pytest.mark.parametrize(
    ("old", "new", "spot"),
    [
        ("February 4 2022, 4:15 PM EST", "4 February 2022 at 16:15 EST", 4500.5298),
        ("February 4 2022, 4:15 PM EST", "February 4, 2022 at 3:15 PM CST", 4500.5298),
        ("\n".join(CBOE.read_text().splitlines()[:3]), OLD_HEAD, None),
    ],
    ids=["day first", "today", "of 2019"],
)
def test_cboes_head_has_changed_over_the_years(
    load: Load, tmp_path: Path, old: str, new: str, spot: float | None
) -> None:
    """The page writes the date as the browser does. Old downloads have other names and dates."""
    text = CBOE.read_text().replace(old, new)
    if spot is None:
        text = text.replace("Volume,IV", "Vol,IV").replace("Open Interest", "Open Int")
        text = text.replace("Fri Feb 18 2022", "02/18/2022")
    path = tmp_path / "quotedata.csv"
    path.write_text(text)
    loaded = load(str(path), "SPX", "SPXW")
    spx, _ = loaded.snapshots
    assert spx.ts == int(datetime(2022, 2, 4, 21, 15, tzinfo=UTC).timestamp()) * 10**9
    assert spx.spot == pytest.approx(spot or 4500.53, rel=0.002)
    assert any("derived from put-call parity" in note for note in loaded.notes) == (spot is None)
    assert len(spx.chains[date(2022, 2, 18)].legs) == 18


def test_a_time_that_cboes_file_does_not_say_is_asked_for(load: Load, tmp_path: Path) -> None:
    """Also if its zone may be that of any country."""
    path = tmp_path / "quotedata.csv"
    path.write_text(CBOE.read_text().replace("Date: February", "February the"))
    with pytest.raises(BadRecording, match=r"does not state the time of its prices \(REPLAY_AS_OF\)"):
        load(str(path), "SPX", "SPXW")
    path.write_text(CBOE.read_text().replace("PM EST", "PM GMT"))
    with pytest.raises(
        BadRecording, match=r"line 3: the time zone GMT is none .*; state the time \(REPLAY_AS_OF\)"
    ):
        load(str(path), "SPX", "SPXW")
    assert load(str(path), "SPX", "SPXW", as_of=YAHOO_TIME.replace(2022)).snapshots


def test_contracts_that_expired_before_cboes_file_are_left_out(load: Load, tmp_path: Path) -> None:
    """On a weekend a download still has Friday's contracts, beside those that live."""
    head = CBOE.read_text().replace("February 4 2022, 4:15 PM", "February 20, 2022 at 10:15 AM")
    row = CBOE.read_text().splitlines()[4]
    row = row.replace("Fri Feb 18 2022", "Fri Mar 18 2022").replace("220218", "220318")
    path = tmp_path / "quotedata.csv"
    path.write_text(f"{head}{row}\n")
    loaded = load(str(path), "SPX")
    (snapshot,) = loaded.snapshots
    assert list(snapshot.chains) == [date(2022, 3, 18)]
    expected = "contracts that expired before the file's day are left out: 'Fri Feb 18 2022' (18 times)"
    assert any(expected in note for note in loaded.notes)


def test_two_files_of_yfinance_are_one_chain(load: Load, tmp_path: Path) -> None:
    """It has calls and puts apart, times with their zone, and no spot."""
    head = (
        "contractSymbol,lastTradeDate,strike,lastPrice,bid,ask,change,percentChange,volume,openInterest,"
        "impliedVolatility,inTheMoney,contractSize,currency"
    )
    for side, price in (("C", 11.8), ("P", 0.4)):
        row = (
            f"0,NVDA250221{side}00120000,2025-02-13 20:59:58+00:00,120.0,{price},{price - 0.1:.2f},"
            f"{price + 0.1:.2f},0.0,0.0,,100,0.45,True,REGULAR,USD"
        )
        (tmp_path / f"{side}.csv").write_text(f",{head}\n{row}\n")
    snapshot, chain = _only(load(str(tmp_path), "NVDA", as_of=YAHOO_TIME).snapshots)
    assert chain.legs.keys() == {(120.0, True), (120.0, False)}
    assert snapshot.spot == pytest.approx(120 + 11.8 - 0.4, abs=0.2)


def test_yahoos_floats_and_empty_cells_are_counts(load: Load) -> None:
    """An empty volume is 0, 582.0 is 582, and a volatility of 1e-05 is none."""
    snapshot, chain = _only(load(str(YAHOO), "NVDA", as_of=YAHOO_TIME).snapshots)
    assert (snapshot.spot, chain.expiry, len(chain.legs)) == (131.338104, date(2025, 2, 21), 20)
    assert (chain.legs[120.0, True]["volume"], chain.legs[122.5, True]["volume"]) == (0, 582)
    assert chain.legs[120.0, True]["open_interest"] == 33956
    assert (120.0, True) not in chain.vendor
    assert chain.vendor[122.5, True] == {"iv": 0.45}
    assert chain.stated.oi_unit == "contracts"


def test_a_contract_symbol_replaces_yahoos_other_columns(load: Load, tmp_path: Path) -> None:
    """Some downloaders write only the OSI name, without ticker, expiration and side."""
    path = tmp_path / "calls.csv"
    path.write_text(
        "contractSymbol,strike,lastPrice,bid,ask,change,volume,openInterest,impliedVolatility\n"
        "NVDA250221C00120000,120.0,11.82,11.78,11.86,0.32,,33956,0.45\n"
        "NVDA250221P00120000,120.0,0.32,0.28,0.36,-0.1,12,36255,0.45\n"
    )
    snapshot, chain = _only(load(str(path), "NVDA", as_of=YAHOO_TIME, spot=131.0).snapshots)
    assert (snapshot.product, snapshot.spot, chain.expiry) == ("NVDA", 131.0, date(2025, 2, 21))
    assert chain.legs[120.0, True]["previous_close"] == 11.5
    assert chain.legs[120.0, False]["previous_close"] == 0.42


def test_deribit_rows_are_one_snapshot_in_usd(load: Load) -> None:
    """Coins become USD through the row's forward of the expiry. The snapshot has the newest row's time."""
    snapshot, chain = _only(load(str(DERIBIT), "BTC").snapshots)
    assert (snapshot.ts, snapshot.spot) == (1589434896605 * 10**6, 9350.88)
    assert (len(chain.strikes), len(chain.legs)) == (9, 18)
    call = chain.legs[9250.0, True]
    assert (call["bid"], call["ask"]) == pytest.approx((0.05 * 9352.71, 0.0525 * 9352.71))
    assert (call["open_interest"], call["bid_size"]) == (896.7, 19.2)
    terms = chain.stated
    assert (terms.price_unit, terms.settlement_currency, terms.oi_unit) == ("USD", "BTC", "contracts")
    assert terms.expiry_ns == int(datetime(2020, 5, 22, 8, tzinfo=UTC).timestamp()) * 10**9
    assert chain.vendor[9250.0, True] == {"iv": 0.77, "forward": 9352.71}


@pytest.mark.parametrize(("group_ms", "snapshots"), [(60_000, 1), (70, 2), (0, 18)])
def test_rows_within_the_group_make_a_snapshot(load: Load, group_ms: int, snapshots: int) -> None:
    """The rows are 7 ms apart. Chains with a single strike or side are named, with the setting that helps."""
    loaded = load(str(DERIBIT), "BTC", group_ns=group_ms * 10**6)
    assert len(loaded.snapshots) == snapshots
    lonely = [note for note in loaded.notes if "a chain with one strike has no ratios" in note]
    assert len(lonely) == (group_ms == 0)
    assert all("(REPLAY_GROUP_MILLIS)" in note and "(18 times)" in note for note in lonely)


def test_the_newest_row_of_a_contract_counts(load: Load, tmp_path: Path) -> None:
    """A contract that occurs twice in a group is said."""
    lines = DERIBIT.read_text().splitlines()
    again = lines[1].replace("1589434896486", "1589434896700").replace("218.8", "219.9")
    (tmp_path / "twice.csv").write_text("\n".join([*lines, again]))
    loaded = load(str(tmp_path / "twice.csv"), "BTC")
    _, chain = _only(loaded.snapshots)
    assert chain.legs[8500.0, True]["open_interest"] == 219.9
    assert any("a newer row of the same contract" in note for note in loaded.notes)


def test_contracts_that_pay_in_a_stablecoin_keep_their_prices(load: Load, tmp_path: Path) -> None:
    """Linear contracts have prices in USDC, so there is nothing to convert."""
    text = DERIBIT.read_text().replace(",BTC-22MAY20", ",BTC_USDC-22MAY20")
    (tmp_path / "linear.csv").write_text(text)
    _, chain = _only(load(str(tmp_path / "linear.csv"), "BTC-USDC").snapshots)
    assert chain.legs[9250.0, True]["bid"] == 0.05
    assert (chain.stated.price_unit, chain.stated.settlement_currency) == ("USDC", "USDC")


def test_a_product_without_rules_is_refused(load: Load, tmp_path: Path) -> None:
    """A file that does not state the expiry's instant, the lot and the exercise needs the rulebook."""
    (tmp_path / "yahoo.csv").write_text(YAHOO.read_text().replace(",NVDA,", ",ZZZZ,"))
    with pytest.raises(UnknownProduct, match="the rulebook has no 'ZZZZ'"):
        load(str(tmp_path / "yahoo.csv"), "ZZZZ", as_of=YAHOO_TIME)


def test_a_named_format_is_not_guessed(load: Load) -> None:
    """A file that is read as another format than its own is refused with the missing column."""
    with pytest.raises(BadRecording, match="line 1, column instrument_name: is missing from the header"):
        load(str(YAHOO), "NVDA", wanted="deribit", as_of=YAHOO_TIME)


def test_the_files_of_a_session_have_one_format(load: Load, tmp_path: Path) -> None:
    """The message names both files and formats."""
    shutil.copy(YAHOO, tmp_path / "a.csv")
    shutil.copy(DERIBIT, tmp_path / "b.csv")
    with pytest.raises(BadRecording, match=r"b.csv, .*the format deribit, but .*a.csv has yahoo"):
        load(str(tmp_path), "BTC", as_of=YAHOO_TIME)
