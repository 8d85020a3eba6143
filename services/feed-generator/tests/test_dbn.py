"""Databento's files: recorded records of OPRA against the reference library, and a made-up session."""

from __future__ import annotations

import subprocess
import tracemalloc
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.support.needs import lacking

from feed_generator.errors import BadRecording
from feed_generator.sources.formats import dbn as formats_dbn
from feed_generator.sources.loading import Loaded

dbn = pytest.importorskip("databento_dbn")
RECORDED = Path(__file__).parents[4] / "shared/data/markets/databento"
Load = Callable[..., Loaded]
CALL, PUT = "AAPL  250221C00250000", "AAPL  250221P00250000"
NUMBERS = {CALL: 101, PUT: 102}
DAY = datetime(2025, 2, 20, 15, 0, tzinfo=UTC)
SECOND = 10**9
START = int(DAY.timestamp()) * SECOND
OPRA, ISE = 30, 26


@pytest.fixture
def recorded() -> Path:
    """The folder of recorded files."""
    if not RECORDED.is_dir():
        lacking(f"there is no {RECORDED.name} folder of recorded files")
    return RECORDED


def _records(path: Path) -> list[Any]:
    decoder = dbn.DBNDecoder(compression=dbn.Compression.ZSTD)
    decoder.write(path.read_bytes())
    return list(decoder.decode())[1:]


def _price(pretty: float) -> float:
    return pretty if pretty == pretty else 0.0  # NaN: none


@pytest.mark.parametrize("schema", ["cbbo-1s", "cbbo-1m", "mbp-1"])
def test_recorded_quotes_equal_those_of_the_reference_library(
    load: Load, recorded: Path, schema: str, tmp_path: Path
) -> None:
    """Each record of the consolidated quote is a row; the other files say contract and open interest."""
    for name in (schema, "definition", "statistics"):
        (tmp_path / name).symlink_to(recorded / f"opra_{name}.dbn.zst")
    loaded = load(str(tmp_path), "AAPL", spot=245.5, group_ns=1)
    quotes = [
        record for record in _records(recorded / f"opra_{schema}.dbn.zst") if record.publisher_id == OPRA
    ]
    expected = [
        (
            record.ts_recv,
            _price(record.levels[0].pretty_bid_px),
            _price(record.levels[0].pretty_ask_px),
            record.levels[0].bid_sz,
            record.levels[0].ask_sz,
        )
        for record in quotes
    ]
    (definition,) = _records(recorded / "opra_definition.dbn.zst")
    expiry = datetime.fromtimestamp(definition.expiration / 1e9, UTC)
    interest = {record.quantity for record in _records(recorded / "opra_statistics.dbn.zst")}
    found = []
    for snapshot in loaded.snapshots:
        (((strike, is_call), leg),) = snapshot.chains[expiry.date()].legs.items()
        assert strike == definition.pretty_strike_price
        assert is_call == (definition.instrument_class == dbn.InstrumentClass.CALL)
        found.append((snapshot.ts, leg["bid"], leg["ask"], leg["bid_size"], leg["ask_size"]))
        assert {leg["open_interest"]} == interest
    assert found == expected
    assert loaded.format == "dbn"
    assert any("a chain with one strike has no ratios" in note for note in loaded.notes)


@pytest.mark.parametrize("schema", ["trades", "tbbo"])
def test_a_schema_without_quotes_is_said(load: Load, recorded: Path, schema: str) -> None:
    """Such a file has nothing that a chain could be made of."""
    with pytest.raises(BadRecording, match="the file has no rows"):
        load(str(recorded / f"opra_{schema}.dbn.zst"), "AAPL", spot=245.5)


def _file(path: Path, schema: Any, *records: Any, dataset: str = "OPRA.PILLAR", version: int = 3) -> Path:
    path.write_bytes(_metadata(schema, dataset, version) + b"".join(bytes(record) for record in records))
    return path


def _metadata(schema: Any, dataset: str = "OPRA.PILLAR", version: int = 3) -> bytes:
    mappings = [
        SimpleNamespace(
            raw_symbol=symbol,
            intervals=[
                SimpleNamespace(start_date=DAY.date(), end_date=date(2025, 2, 22), symbol=str(number))
            ],
        )
        for symbol, number in (NUMBERS if schema else {}).items()
    ]
    metadata = dbn.Metadata(
        dataset=dataset,
        start=START,
        stype_in=dbn.SType.RAW_SYMBOL,
        stype_out=dbn.SType.INSTRUMENT_ID,
        schema=schema,
        symbols=list(NUMBERS) if schema else [],
        partial=[],
        not_found=[],
        mappings=mappings,
        version=version,
    )
    return bytes(metadata.encode())


def _quote(seconds: float, symbol: str, bid: float, ask: float, **fields: Any) -> Any:
    ts = START + int(seconds * SECOND)
    scale = dbn.FIXED_PRICE_SCALE
    level = dbn.BidAskPair(round(bid * scale), round(ask * scale), 10, 20, 1, 1)
    usual = {"publisher_id": OPRA, "price": dbn.UNDEF_PRICE, "size": 0, "action": dbn.Action.ADD}
    usual |= {"instrument_id": NUMBERS[symbol], "side": dbn.Side.NONE, "depth": 0}
    return dbn.MBP1Msg(ts_event=ts, levels=level, **usual | {"ts_recv": ts} | fields)


def _legs(loaded: Loaded) -> list[list[tuple[float, float, float]]]:
    return [
        [
            (leg["bid"], leg["last"], leg["volume"])
            for _, leg in sorted(snapshot.chains[date(2025, 2, 21)].legs.items())
        ]
        for snapshot in loaded.snapshots
    ]


def test_a_quote_stays_until_it_is_replaced(load: Load, tmp_path: Path) -> None:
    """Each group's end shows the whole book. A trade gives last price and volume."""
    path = _file(
        tmp_path / "quotes.dbn",
        dbn.Schema.MBP_1,
        _quote(0.5, CALL, 3.0, 3.2),
        _quote(0.6, PUT, 7.0, 7.2),
        _quote(0.7, PUT, 6.0, 9.0, publisher_id=ISE),
        _quote(1.5, CALL, 3.1, 3.3),
        _quote(4.2, CALL, 3.1, 3.3, publisher_id=ISE, action=dbn.Action.TRADE, price=3_200_000_000, size=4),
        _quote(4.3, CALL, 3.1, 3.3, publisher_id=ISE, action=dbn.Action.TRADE, price=3_300_000_000, size=1),
    )
    loaded = load(str(path), "AAPL", group_ns=SECOND)
    assert [(one.ts - START) / SECOND for one in loaded.snapshots] == [1, 2, 5]
    # Each snapshot: the put, then the call.
    assert _legs(loaded) == [
        [(7.0, 0, 0), (3.0, 0, 0)],
        [(7.0, 0, 0), (3.1, 0, 0)],
        [(7.0, 0, 0), (3.1, 3.3, 5)],
    ]
    assert any("derived from put-call parity" in note for note in loaded.notes)


def test_the_previous_open_interest_is_that_of_the_day_before(load: Load, tmp_path: Path) -> None:
    """It is unknown on the first day, and on a day that states no open interest."""
    day = 86_400

    def interest(seconds: float, quantity: int) -> Any:
        return dbn.StatMsg(
            publisher_id=OPRA,
            instrument_id=NUMBERS[CALL],
            ts_event=START,
            ts_recv=START + int(seconds * SECOND),
            ts_ref=START,
            price=dbn.UNDEF_PRICE,
            quantity=quantity,
            stat_type=dbn.StatType.OPEN_INTEREST,
        )

    quotes = [_quote(time, CALL, 3.0, 3.2) for time in (0.5, day + 0.5, day + 2.5)]
    folder = tmp_path / "session"
    folder.mkdir()
    _file(folder / "quotes.dbn", dbn.Schema.MBP_1, *quotes)
    _file(folder / "statistics.dbn", dbn.Schema.STATISTICS, interest(0.1, 70), interest(day + 1.2, 90))
    loaded = load(str(folder), "AAPL", group_ns=SECOND, spot=245.5)
    legs = [leg for one in loaded.snapshots for chain in one.chains.values() for leg in chain.legs.values()]
    found = [(leg["open_interest"], leg.get("previous_open_interest")) for leg in legs]
    assert found == [(70, None), (70, None), (90, 70)]


def test_a_record_without_a_time_is_left_out_and_said(load: Load, tmp_path: Path) -> None:
    """An undefined time is the largest number: it would be the year 2554."""
    path = _file(
        tmp_path / "quotes.dbn",
        dbn.Schema.MBP_1,
        _quote(0.5, CALL, 3.0, 3.2),
        _quote(0.6, PUT, 7.0, 7.2),
        _quote(0.7, CALL, 9.0, 9.2, ts_recv=dbn.UNDEF_TIMESTAMP),
    )
    loaded = load(str(path), "AAPL", group_ns=SECOND)
    assert _legs(loaded) == [[(7.0, 0, 0), (3.0, 0, 0)]]
    assert any("a record without a time is left out" in note for note in loaded.notes)


def test_files_of_other_datasets_and_damaged_ones_are_refused(load: Load, tmp_path: Path) -> None:
    """Each error says what can be read."""
    other = _file(tmp_path / "cme.dbn", dbn.Schema.MBP_1, _quote(0, CALL, 1, 2), dataset="GLBX.MDP3")
    with pytest.raises(BadRecording, match=r"is of GLBX\.MDP3, and only OPRA\.PILLAR can be read"):
        load(str(other), "AAPL")
    (tmp_path / "bad.dbn.zst").write_bytes(b"\x28\xb5\x2f\xfdnothing")
    with pytest.raises(BadRecording, match="is no DBN file, or damaged"):
        load(str(tmp_path / "bad.dbn.zst"), "AAPL")
    whole = _file(tmp_path / "cut.dbn", dbn.Schema.MBP_1, _quote(0, CALL, 1, 2), _quote(0, PUT, 1, 2))
    _pack(tmp_path / "cut.dbn.zst", [whole.read_bytes()])
    for path in (whole, tmp_path / "cut.dbn.zst"):
        path.write_bytes(path.read_bytes()[:-6])
        with pytest.raises(BadRecording, match=r"cut off, so download it again|or damaged"):
            load(str(path), "AAPL")
    with pytest.raises(BadRecording, match=r"must be grouped by 1 ms or more \(REPLAY_GROUP_MILLIS\)"):
        load(str(_file(tmp_path / "ok.dbn", dbn.Schema.MBP_1)), "AAPL", group_ns=0)


@pytest.mark.parametrize("version", [1, 2, 3])
def test_each_version_of_a_file_with_several_schemas_is_read(
    load: Load, tmp_path: Path, version: int
) -> None:
    """What the live gateway sent is in one file: names of contracts, open interest, quotes and others."""
    own = {1: dbn.v1, 2: dbn.v2, 3: dbn.v3}[version]
    symbology = dbn.SType.RAW_SYMBOL
    shared: dict[str, Any] = {"publisher_id": OPRA, "ts_event": START}
    records = []
    for symbol, number in NUMBERS.items():
        records += [
            own.SymbolMappingMsg(
                **shared,
                **({} if version == 1 else {"stype_in": symbology, "stype_out": symbology}),
                instrument_id=number,
                stype_in_symbol=symbol,
                stype_out_symbol=symbol,
                start_ts=START,
                end_ts=dbn.UNDEF_TIMESTAMP,
            ),
            *(
                own.StatMsg(
                    **shared,
                    instrument_id=number,
                    ts_recv=START + 1,
                    ts_ref=START,
                    price=dbn.UNDEF_PRICE,
                    quantity=quantity,
                    stat_type=dbn.StatType.OPEN_INTEREST,
                )
                for quantity in (number, 2**31 - 1 if version < 3 else dbn.UNDEF_STAT_QUANTITY)
            ),
        ]
    records += [
        dbn.TradeMsg(
            **shared,
            instrument_id=101,
            price=1,
            size=1,
            action=dbn.Action.TRADE,
            side=dbn.Side.NONE,
            depth=0,
            ts_recv=START + 1,
        )
    ]
    records += [_quote(0.5, CALL, 3.0, 3.2), _quote(0.6, PUT, 7.0, 7.2)]
    loaded = load(str(_file(tmp_path / "live.dbn", None, *records, version=version)), "AAPL", group_ns=SECOND)
    assert _legs(loaded) == [[(7.0, 0, 0), (3.0, 0, 0)]]
    ((chain,),) = (snapshot.chains.values() for snapshot in loaded.snapshots)
    assert [leg["open_interest"] for _, leg in sorted(chain.legs.items())] == [102, 101]
    assert any("records of a schema that is not used are left out: 'mbp-0'" in note for note in loaded.notes)


def test_a_file_that_unpacks_to_very_much_is_read_in_pieces(load: Load, tmp_path: Path) -> None:
    """30 KB may unpack to a GB. What is unpacked at once is bounded, and metadata may not be endless."""
    path = tmp_path / "bomb.dbn.zst"
    quotes = bytes(_quote(0.5, CALL, 3.0, 3.2)) * 10_000
    _pack(path, [_metadata(dbn.Schema.MBP_1), *[quotes] * 150])
    assert path.stat().st_size < 1 << 16
    tracemalloc.start()
    records = sum(1 for _ in formats_dbn.records_of(str(path)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (records, peak < 64 << 20) == (1_500_001, True)
    endless = b"DBN\x03" + (2**30).to_bytes(4, "little"), *[bytes(1 << 20)] * 40
    _pack(tmp_path / "endless.dbn.zst", endless)
    (tmp_path / "endless.dbn").write_bytes(b"".join(endless))
    for name in ("endless.dbn.zst", "endless.dbn"):
        with pytest.raises(BadRecording, match="its metadata have more than 16 MiB: download fewer symbols"):
            load(str(tmp_path / name), "AAPL")


def _pack(path: Path, pieces: Iterable[bytes]) -> None:
    with subprocess.Popen(["zstd", "-q", "-o", str(path)], stdin=subprocess.PIPE) as zstd:
        assert zstd.stdin
        for piece in pieces:
            zstd.stdin.write(piece)
        zstd.stdin.close()
    assert zstd.returncode == 0
