"""Files that cannot be used: each gives one line with place, rule and fix, and nothing of it is used."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.contracts import validator

from feed_generator.domain.rulebook import known_rules
from feed_generator.errors import BadRecording, FeedError
from feed_generator.messages import stamp
from feed_generator.sources import recording
from feed_generator.sources.loading import Loaded
from feed_generator.sources.replay import Replay

Load = Callable[..., Loaded]
FILES = Path(__file__).with_name("files")
YAHOO = (FILES / "yahoo_like.csv").read_text()
NSE_NAME = "option-chain-ED-NIFTY-27-Jun-2024.csv"
NSE = (FILES / NSE_NAME).read_text().replace(",", "", 1)
UDIFF = b"TradDt,BizDt,Sgmt,FinInstrmTp,TckrSymb,XpryDt,StrkPric,OptnTp,ClsPric,OpnIntrst\n"
_ODD = [b"-1", b"nan", b"1e400", b'"', b",", b"\n", b"\r", b"0", b"99999999999999999999", b"\xff"]
TIME = datetime(2024, 2, 13, 21, 0, tzinfo=UTC)
STATE_THEIR_TIME = ("cboe_quotes_export.csv", "deribit_rows.csv")
PRODUCTS = ("NIFTY", "SPX", "SPXW", "NVDA", "BTC")


def _refusal(load: Load, path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(BadRecording) as caught:
        load(str(path), "NVDA", as_of=TIME)
    text = str(caught.value)
    assert text.startswith(f"{path}, line ")
    assert "\n" not in text
    return text


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (YAHOO.encode("utf-16"), "is in UTF-16, not UTF-8: save it as `CSV UTF-8`"),
        (YAHOO.encode("utf-16-le"), "is in UTF-16, not UTF-8: save it as `CSV UTF-8`"),
        (YAHOO.replace(",", ";").encode(), "has ';' between its cells: save it with ','"),
        (YAHOO.replace(",", "\t").encode(), "has a tab between its cells: save it with ','"),
        (NSE.replace(",", ";").encode(), "has ';' between its cells: save it with ','"),
        (
            YAHOO.replace("\n", "\r").encode(),
            "line 1: has lines that end with CR only: save it as `CSV UTF-8`",
        ),
        (
            YAHOO.replace("NVDA", "Nvidiá").encode("latin-1"),
            "line 2: is not in UTF-8: save it as `CSV UTF-8`",
        ),
        (
            b'\n {"records": {"data": []}}',
            "is JSON, as an exchange's API answers: only CSV files can be read",
        ),
        (UDIFF, "is NSE's bhavcopy, which has no bids and asks: download the option chain's CSV"),
        (b"INSTRUMENT,SYMBOL,EXPIRY_DT,STRIKE_PR,OPTION_TYP\n", "is NSE's bhavcopy, which has no bids"),
        (b"symbol,timestamp,local_timestamp,strike_price,underlying_price\n", "is Tardis's options_chain"),
        (b"<!DOCTYPE html><html>Access denied", "is a web page, no CSV: the site refused the download"),
        (b"PK\x03\x04rest", "is an Excel workbook or a ZIP archive, no CSV: export the sheet"),
        (b"\x1f\x8brest", "is compressed with gzip: run `gunzip` first"),
        (b"time,price\n1,2\n", "has a header of no known format: 'time,price'"),
        (
            YAHOO.encode() + b"x" * (2 << 20),
            "line 22: is longer than 1,048,576 bytes, so the file is no CSV",
        ),
    ],
)
def test_a_file_of_another_kind_names_the_fix(
    load: Load, tmp_path: Path, content: bytes, complaint: str
) -> None:
    """People save a web page or an Excel sheet under the name of a CSV."""
    assert complaint in _refusal(load, tmp_path / "file.csv", content)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("11.78", "-1", "column bid: is no price: it must be 0 to 1e9, and 0 or an empty cell means none"),
        ("131.338104", "0", "line 2, column spotPrice: must be above 0, at most 1e9: '0' (and 19 more"),
        (",120.0,", ",0.0,", "line 2, column strike: must be above 0"),
        ("33956.0", "-5", "line 2, column openInterest: must be 0 to 1e15"),
        ("33956.0", "lots", "line 2, column openInterest: is not a number: 'lots'"),
        ("2025-02-21", "21/02/2025", "line 2, column expiration: is not a date YYYY-MM-DD"),
        ("2025-02-21", "2024-02-11", "line 2, column expiry: 2024-02-11 is before the snapshot's time"),
        ("2,NVDA", '2,"NVDA', "line 4: a quote is not closed in its line: close or remove it"),
        ("11.51,11.47", "11.51\n11.47", "line 21: has fewer cells than the 15 of the header: the line is"),
        (",NVDA,", ",nv\0da,", "line 2, column product: is no name of a product: it must be 1 to 20 of A-Z"),
        ("Call", "Straddle", "line 2, column optionType: must be Call or Put"),
        ("131.338104", "13133.8104", "column spot: 13133.8 is 10 times outside the strikes of 2025-02-21"),
    ],
)  # fmt: skip
def test_a_bad_cell_refuses_the_whole_file(
    load: Load, tmp_path: Path, old: str, new: str, complaint: str
) -> None:
    """The message has the first place and the number of the others."""
    assert complaint in _refusal(load, tmp_path / "file.csv", YAHOO.replace(old, new).encode())


@pytest.mark.parametrize(
    ("name", "old", "new", "complaint"),
    [
        (NSE_NAME, '"81,664"', "81.5", "column OI: must be a whole number: '81.5'"),
        (NSE_NAME, '"81,664"', "9e14", "column OI: must be at most 1e15 after the lot of 50"),
        ("deribit_rows.csv", "1589434896486", "1589434896", "column timestamp: must be milliseconds since"),
    ],
)  # fmt: skip
def test_a_value_in_another_unit_is_refused(
    load: Load, tmp_path: Path, name: str, old: str, new: str, complaint: str
) -> None:
    """A recording of half a lot, or of 1970, could not be replayed."""
    path = tmp_path / name
    path.write_text((FILES / name).read_text().replace(old, new))
    with pytest.raises(BadRecording, match=complaint):
        load(str(path), *PRODUCTS, as_of=None if name in STATE_THEIR_TIME else TIME)


def test_a_price_of_0_means_none_and_is_said(load: Load, tmp_path: Path) -> None:
    """It is not used as a price. A column is named once, with its count; an empty cell needs no word."""
    path = tmp_path / "file.csv"
    path.write_text(
        YAHOO.replace("11.78", "0").replace("11.86", "0.0").replace("9.58", "0").replace("9.66", "")
    )
    loaded = load(str(path), "NVDA", as_of=TIME)
    (snapshot,) = loaded.snapshots
    (chain,) = snapshot.chains.values()
    assert (chain.legs[120.0, True]["bid"], chain.legs[120.0, True]["ask"]) == (0, 0)
    rule = "a price of 0 is read as no price: correct the cell if there is one"
    assert loaded.notes == [
        f"{path}, line 2, column bid: {rule} (2 times)",
        f"{path}, line 2, column ask: {rule}",
    ]


@pytest.mark.parametrize(
    ("keep", "note"),
    [
        (lambda line: ",Call," in line, "a chain without puts has no ratios: 'NVDA 2025-02-21'"),
        (lambda line: ",Put," in line, "a chain without calls has no ratios: 'NVDA 2025-02-21'"),
        (lambda line: ",120.0," in line, "a chain with one strike has no ratios"),
    ],
)
def test_a_chain_that_is_none_is_said(
    load: Load, tmp_path: Path, keep: Callable[[str], bool], note: str
) -> None:
    """Such a chain is kept, because its prices are good, but it has no ratio."""
    head, *lines = YAHOO.splitlines()
    path = tmp_path / "file.csv"
    path.write_text("\n".join([head, *filter(keep, lines)]))
    assert any(note in said for said in load(str(path), "NVDA", as_of=TIME).notes)


def test_a_side_without_open_interest_is_said(load: Load, tmp_path: Path) -> None:
    """Calls without any open interest would be divided by."""
    head, *lines = YAHOO.splitlines()
    column = head.split(",").index("openInterest")
    rows = [line.split(",") for line in lines]
    for row in rows:
        row[column] = "0" if "Call" in row else row[column]
    path = tmp_path / "file.csv"
    path.write_text("\n".join([head, *(",".join(row) for row in rows)]))
    notes = load(str(path), "NVDA", as_of=TIME).notes
    assert any("a chain whose calls have no open interest has no ratio of it" in note for note in notes)


def test_a_file_without_spot_and_pairs_asks_for_the_spot(load: Load, tmp_path: Path) -> None:
    """Parity needs a strike that is quoted on both sides."""
    calls = [line for line in YAHOO.replace("131.338104", "").splitlines() if ",Put," not in line]
    text = _refusal(load, tmp_path / "file.csv", "\n".join(calls).encode())
    assert (
        "column spot: is not in the file, and no strike is quoted on both sides: state it (REPLAY_SPOT)"
        in text
    )


def test_what_is_no_file_is_refused_at_once(load: Load, tmp_path: Path) -> None:
    """A pipe would wait for its writer, and a device would never end."""
    os.mkfifo(tmp_path / "pipe.csv")
    for path in (str(tmp_path / "pipe.csv"), "/dev/zero"):
        with pytest.raises(BadRecording, match=f"{path}: is no file: name a file, or a folder of files"):
            load(path, "NVDA", as_of=TIME)


def test_a_header_of_very_many_columns_is_read_once(load: Load, tmp_path: Path) -> None:
    """The search for repeated names must not take a time that grows with their square."""
    names = ",".join(map(str, range(140_000)))
    head, *rows = YAHOO.splitlines()
    text = "\n".join([f"{head},{names}", *(row + "," * 140_000 for row in rows)])
    (tmp_path / "wide.csv").write_text(text)
    (snapshot,) = load(str(tmp_path / "wide.csv"), "NVDA", as_of=TIME).snapshots
    assert len(snapshot.chains) == 1


def test_a_file_whose_rows_all_have_one_time_is_not_kept_in_memory(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A snapshot is limited, so a huge file without times ends with an error."""
    monkeypatch.setattr(recording, "_MOST_IN_A_GROUP", 10)
    text = _refusal(load, tmp_path / "file.csv", YAHOO.encode())
    assert "line 12: more than 10 rows belong to one snapshot: check the times" in text


@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_file_is_read_or_refused(load: Load, tmp_path: Path, data: st.DataObject) -> None:
    """Whatever bytes change, get lost or are repeated, messages fit their contract or there are none."""
    path = data.draw(st.sampled_from(sorted(FILES.glob("*.csv"))))
    content = path.read_bytes()
    for _ in range(data.draw(st.integers(1, 4))):
        at, length = data.draw(st.integers(0, len(content))), data.draw(st.integers(0, 40))
        new = data.draw(
            st.one_of(st.binary(max_size=8), st.sampled_from(_ODD), st.just(content[at : at + 60]))
        )
        content = content[:at] + new + content[at + length :]
    (tmp_path / path.name).write_bytes(content)
    with contextlib.suppress(FeedError):
        as_of = None if path.name in STATE_THEIR_TIME else TIME
        loaded = load(str(tmp_path / path.name), *PRODUCTS, as_of=as_of)
        replay = Replay(
            feed="files",
            terms=known_rules(PRODUCTS),
            snapshots=loaded.snapshots,
            speed_percent=100,
            interval_ns=1,
            forever=False,
        )
        for message in replay.advance().messages:
            body = json.loads(stamp(message.body, "3:17", 3_000_001, 1_795_548_000_123_456_789))
            validator(f"market-{message.kind}").validate(body)
