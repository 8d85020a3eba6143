"""Reading a recording: values are unchanged, and an invalid file gives one clear message."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from feed_generator.errors import BadRecording
from feed_generator.sources.formats import writing
from feed_generator.sources.loading import Loaded

HEADER = "timestamp,expiry,strike,spot,side,ltp,bid,ask,bid_qty,ask_qty,vol,oi,prev_oi,close"
ROW = "2024-06-21T15:30:00+05:30,2024-06-27,23500,23501.1,C,118.2,118,118.5,25,300,39000,5500,3100,167.5"
AS_OF = datetime(2024, 6, 21, 10, tzinfo=UTC)
AS_OF_NS = 1_718_964_000_000_000_000

Load = Callable[..., Loaded]
Write = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a header and rows to a file; returns its path."""

    def written(*rows: str, header: str = HEADER) -> str:
        path = tmp_path / "recording.csv"
        path.write_text("\n".join([header, *rows]) + "\n")
        return str(path)

    return written


def _row(**cells: str) -> str:
    values = dict(zip(HEADER.split(","), ROW.split(","), strict=True)) | cells
    return ",".join(values.values())


def test_every_value_of_the_shipped_recordings_is_read_unchanged(sample: Path, load: Load) -> None:
    """Each line of the file is in the snapshot, cell by cell, and the snapshot has no other legs."""
    snapshots = load(str(sample), as_of=AS_OF).snapshots
    assert [snapshot.ts for snapshot in snapshots] == [AS_OF_NS]
    (snapshot,) = snapshots
    with sample.open() as file:
        rows = list(csv.DictReader(file))
    names = {
        "last": "ltp",
        "bid": "bid",
        "ask": "ask",
        "previous_close": "close",
        "bid_size": "bid_qty",
        "ask_size": "ask_qty",
        "volume": "vol",
        "open_interest": "oi",
        "previous_open_interest": "prev_oi",
    }
    for row in rows:
        (chain,) = [c for day, c in snapshot.chains.items() if day.isoformat() == row["expiry"]]
        leg = chain.legs[float(row["strike"]), row["side"] == "C"]
        assert leg == {ours: float(row[theirs]) for ours, theirs in names.items()}
        assert snapshot.spot == float(row["spot"])
    assert sum(len(chain.legs) for chain in snapshot.chains.values()) == len(rows) > 100


def test_an_empty_previous_open_interest_is_unknown_and_stays_so(write: Write, load: Load) -> None:
    """0 is a statement: the contract is new. An import writes the cell empty again."""
    path = write(_row(prev_oi=""), _row(prev_oi="0", side="P"))
    (snapshot,) = load(path, as_of=AS_OF).snapshots
    (chain,) = snapshot.chains.values()
    call, put = (leg for _, leg in sorted(chain.legs.items(), reverse=True))
    assert "previous_open_interest" not in call
    assert put["previous_open_interest"] == 0
    column = writing.HEADER.index("prev_oi")
    assert [cells[column] for cells in writing.rows(snapshot)] == [0, ""]


def test_timestamps_separate_and_order_the_snapshots(write: Write, load: Load) -> None:
    """Timestamps in the file take precedence over the setting. Rows may have any order and time zone."""
    later, same = "2024-06-21T15:30:01.5+05:30", "2024-06-21T10:00:00Z"
    path = write(_row(timestamp=later, spot="23502"), _row(), _row(timestamp=same, side="P"))
    first, second = load(path, as_of=datetime(2020, 1, 1, tzinfo=UTC)).snapshots
    assert (first.ts, first.spot) == (AS_OF_NS, 23501.1)
    assert (second.ts, second.spot) == (AS_OF_NS + 1_500_000_000, 23502)
    assert [len(chain.legs) for chain in first.chains.values()] == [2]
    assert [len(chain.legs) for chain in second.chains.values()] == [1]


def test_extra_columns_blank_lines_and_a_byte_order_mark_are_ignored(write: Write, load: Load) -> None:
    """Spreadsheet programs write these, and the reader ignores them."""
    path = write(ROW + ",12.5", "", header="\ufeff" + HEADER + ",iv")
    assert load(path).snapshots[0].spot == 23501.1


@pytest.mark.parametrize("column", HEADER.split(",")[1:])
def test_a_missing_column_is_named(write: Write, column: str, load: Load) -> None:
    """The message names the missing column and line 1, the header."""
    names = [name if name != column else "x" for name in HEADER.split(",")]
    path = write(ROW, header=",".join(names))
    with pytest.raises(BadRecording) as caught:
        load(path)
    assert str(caught.value) == f"{path}, line 1, column {column}: is missing from the header"


def test_a_file_without_timestamps_needs_the_setting(write: Write, load: Load) -> None:
    """Without the setting, the message names the setting."""
    path = write(ROW.partition(",")[2], header=HEADER.partition(",")[2])
    assert load(path, as_of=AS_OF).snapshots[0].ts == AS_OF_NS
    with pytest.raises(BadRecording, match=r"line 1: does not state the time .*\(REPLAY_AS_OF\)"):
        load(path)


@pytest.mark.parametrize(
    ("column", "cell", "rule"),
    [
        ("bid", "nan", "must be finite"),
        ("bid", "inf", "must be finite"),
        ("bid", "-0.05", "must be finite and 0 to"),
        ("ask", "1e300", "must be finite and 0 to"),
        ("ltp", "", "is empty"),
        ("ltp", "n/a", "is not a number: 'n/a'"),
        ("spot", "0", "must be finite"),
        ("strike", "0", "must be finite"),
        ("strike", "0.00001", "must be finite"),
        ("vol", "1.5", "is not a whole number: '1.5'"),
        ("oi", "-1", "must be 0 to 1e15"),
        ("prev_oi", "9" * 30, "must be 0 to 1e15"),
        ("bid_qty", "9" * 5000, "is not a whole number"),
        ("strike", "23_500", "is not a number: '23_500'"),
        ("oi", "1_0", "is not a whole number: '1_0'"),
        ("oi", "\u0661\u0662", "is not a whole number"),
        ("side", "CALL", "must be C or P: 'CALL'"),
        ("expiry", "27-06-2024", "is not a date YYYY-MM-DD"),
        ("expiry", "2024-02-30", "is not a date YYYY-MM-DD"),
        ("expiry", "9999-12-31", "1971 to 2099"),
        ("timestamp", "yesterday", "is not RFC 3339 with a zone"),
        ("timestamp", "2024-06-21T15:30:00", "is not RFC 3339 with a zone"),
        ("timestamp", "1901-06-21T15:30:00Z", "1971 to 2099"),
    ],
)
def test_an_invalid_cell_gives_one_line_with_file_line_column_and_rule(
    write: Write, column: str, cell: str, rule: str, load: Load
) -> None:
    """The reader refuses every value that the contract forbids."""
    path = write(ROW, _row(**{"side": "P", column: cell}))
    with pytest.raises(BadRecording, match=rule) as caught:
        load(path)
    error = caught.value
    assert (error.path, error.line, error.column) == (path, 3, column)
    assert str(error).startswith(f"{path}, line 3, column {column}: ")
    assert "\n" not in str(error)


def test_a_truncated_row_is_refused(write: Write, load: Load) -> None:
    """Missing cells of a truncated file are an error, not zeros."""
    path = write(ROW.rsplit(",", 3)[0])
    with pytest.raises(
        BadRecording, match="line 2: has fewer cells than the 14 of the header: the line is cut off"
    ):
        load(path)


def test_shifted_or_repeated_columns_are_refused(write: Write, load: Load) -> None:
    """An unquoted thousands separator splits a cell and shifts all later values to wrong columns."""
    with pytest.raises(
        BadRecording, match="line 2: has more cells than the header: a number with `,` needs quotes"
    ):
        load(write(f"{ROW},1"))
    assert load(write(f"{ROW},")).snapshots
    with pytest.raises(BadRecording, match="line 1, column oi: occurs 2 times in the header"):
        load(write(f"{ROW},1", header=f"{HEADER},oi"))


def test_contradictions_within_a_snapshot_are_refused(write: Write, load: Load) -> None:
    """The reader refuses two rows of one contract, and two spots at one instant."""
    with pytest.raises(BadRecording, match="line 3, column strike: 23500 C appears twice"):
        load(write(ROW, ROW))
    with pytest.raises(BadRecording, match=r"line 3, column spot: differs .* 23499 and 23501.1"):
        load(write(ROW, _row(side="P", spot="23499")))


@pytest.mark.parametrize(
    ("cells", "column", "values"),
    [
        ({"expiry": "2024-06-19"}, "expiry", ("2024-06-19", "2024-06-21T10:00Z")),
        ({"spot": "235.011"}, "spot", ("235.011", "23500")),
        ({"spot": "2350110"}, "spot", ("2.35011e+06", "23500")),
    ],
)
def test_a_line_with_contradictory_values_is_refused_with_both_values(
    write: Write, cells: dict[str, str], column: str, values: tuple[str, str], load: Load
) -> None:
    """The cases are an expiry before its snapshot, and a spot in another unit than the strikes."""
    with pytest.raises(BadRecording) as caught:
        load(write(_row(**cells)))
    assert (caught.value.line, caught.value.column) == (2, column)
    assert all(value in str(caught.value) for value in values)


def test_a_recording_of_another_product_is_refused(write: Write, load: Load) -> None:
    """A `product` column must name the feed's product."""
    path = write(f"{ROW},BANKNIFTY", header=f"{HEADER},product")
    assert load(path, "BANKNIFTY").snapshots
    with pytest.raises(BadRecording, match=r"line 2, column product: is 'BANKNIFTY', .* NIFTY"):
        load(path, "NIFTY")


def test_a_chain_larger_than_the_contract_allows_is_refused(write: Write, load: Load) -> None:
    """A chain may have 2,000 strikes and no more, with legs on one side or both."""
    rows = [_row(strike=str(strike), side=side) for strike in range(20001, 22001) for side in "CP"]
    assert len(load(write(*rows)).snapshots[0].chains.popitem()[1].strikes) == 2000
    with pytest.raises(BadRecording, match="line 4002, column strike: more than 2000 strikes"):
        load(write(*rows, _row(strike="22500")))
    with pytest.raises(BadRecording, match="line 2002, column strike: more than 2000 strikes"):
        load(write(*rows[::2], _row(strike="22500")))


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", r"line 1: is empty: download or save it again"),
        (HEADER.encode() + b"\n", r"line 1: the file has no rows"),
        (HEADER.encode() + b"\n\xff\xfe\n", r"line 2: is not in UTF-8: save it as `CSV UTF-8`"),
        (
            HEADER.encode() + b"\n" + b"9" * 200_000 + b"\n",
            r"line 2: has a cell of more than 131,072 characters, so a quote is not closed",
        ),
        (HEADER.encode() + b"\n\x00\n", r"line 2: has fewer cells"),
    ],
    ids=["empty", "header only", "not UTF-8", "huge cell", "NUL"],
)
def test_any_other_file_is_refused_with_one_line(
    tmp_path: Path, content: bytes, complaint: str, load: Load
) -> None:
    """For any content of the file, the error is one line that names the file."""
    path = tmp_path / "recording.csv"
    path.write_bytes(content)
    with pytest.raises(BadRecording, match=complaint) as caught:
        load(str(path))
    assert str(caught.value).startswith(f"{path}, line ")


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, load: Load) -> None:
    """The cases are a missing file and a folder without files."""
    for path, why in ((tmp_path / "none.csv", "cannot be read: No such file"), (tmp_path, "without files")):
        with pytest.raises(BadRecording, match=why) as caught:
            load(str(path))
        assert str(path) in str(caught.value)
