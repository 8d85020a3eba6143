"""Databento's files (DBN) of OPRA: quotes as cbbo or mbp-1, definitions, and statistics for open interest.

The files of a session are read side by side, record by record in order of time. The package databento-dbn
decodes them; it is an extra that not every environment has.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from datetime import UTC, datetime, time
from functools import partial
from importlib.util import find_spec
from operator import itemgetter
from typing import Any
from zoneinfo import ZoneInfo

from feed_generator.errors import BadRecording
from feed_generator.sources.formats import osi, text
from feed_generator.sources.formats.cells import LAST_YEAR
from feed_generator.sources.formats.option_book import OptionBook
from feed_generator.sources.formats.problems import Problems
from feed_generator.sources.formats.row import Place, Row, Stated, Told

GROUP_NS = 60_000_000_000
DATASET = "OPRA.PILLAR"
_CONSOLIDATED = 30
"""OPRA's publisher of the best quotes of all exchanges. Those of single exchanges have other numbers."""
_QUOTES = frozenset({"cbbo-1s", "cbbo-1m", "cmbp-1", "mbp-1", "bbo-1s", "bbo-1m"})
_ZONE = ZoneInfo("America/New_York")
_STATED = Stated(oi_unit="contracts")
_CHUNK = 1 << 16
_PACKED_CHUNK = 512
"""4 packed bytes may unpack to 128 KiB, so a chunk of packed bytes gives at most 16 MiB at once."""
_MOST_METADATA = 16 << 20
"""About 100,000 contracts."""
_LAST_NS = int(datetime(LAST_YEAR, 1, 1, tzinfo=UTC).timestamp()) * 10**9
Record = Any
"""A record of databento-dbn: its classes have no common type."""
Entry = tuple[int, int, Callable[[], None]]
"""Time, order of changes at one time (definitions, statistics, quotes), and the change of the book."""


def read(
    paths: Sequence[str], told: Told, problems: Problems, progress: Callable[[int], None] | None
) -> Iterator[Row]:
    """Yield the rows of a session's files. Raises BadRecording."""
    if find_spec("databento_dbn") is None:
        raise BadRecording(
            paths[0],
            0,
            "-",
            "needs the package databento-dbn: run `make dbn`, or build the image with DBN=true",
        )
    group_ns = GROUP_NS if told.group_ns is None else told.group_ns
    if not group_ns:
        raise BadRecording(paths[0], 0, "-", "must be grouped by 1 ms or more (REPLAY_GROUP_MILLIS)")
    book = OptionBook(group_ns=group_ns, zone=_ZONE, spot=told.spot, stated=_STATED)
    files = [_File(path, book, problems, progress) for path in paths]
    streams = [stream for file in files for stream in (file.definitions(), file.records())]
    for ts, _, change in heapq.merge(*streams, key=lambda entry: entry[:2]):
        yield from book.advance(ts)
        change()
    yield from book.close()


def records_of(path: str, progress: Callable[[int], None] | None = None) -> Generator[Record]:
    """Yield the metadata and the records of a file, in bounded memory. Raises BadRecording."""
    import databento_dbn as dbn

    with text.opened(path) as file:
        packed = text.peeked(file).startswith(text.ZSTD_MAGIC)
        compression: Any = dbn.Compression.ZSTD if packed else dbn.Compression.NONE
        decoder = dbn.DBNDecoder(compression=compression)
        begun, told = False, 0
        try:
            while chunk := file.read(_PACKED_CHUNK if packed else _CHUNK):
                decoder.write(chunk)
                records = decoder.decode()
                begun = begun or bool(records)
                if not begun and len(decoder.buffer()) > _MOST_METADATA:
                    mib = _MOST_METADATA >> 20
                    rule = f"its metadata have more than {mib} MiB: download fewer symbols at once"
                    raise BadRecording(path, 0, "-", rule)
                yield from records
                if progress and file.tell() >= told + _CHUNK:
                    progress(file.tell() - told)
                    told = file.tell()
            if begun and decoder.buffer():
                raise BadRecording(path, 0, "-", "ends within a record: it is cut off, so download it again")
            if progress:
                progress(file.tell() - told)
        except (dbn.DBNError, RuntimeError) as error:  # the second: not a zstd frame
            raise BadRecording(path, 0, "-", f"is no DBN file, or damaged: {error}") from None


class _File:
    """One file: its schema, and how its records change the book."""

    def __init__(
        self, path: str, book: OptionBook, problems: Problems, progress: Callable[[int], None] | None
    ) -> None:
        self._path, self._book, self._problems = path, book, problems
        self._stream = records_of(path, progress)
        self._metadata: Record = next(self._stream, None)
        if self._metadata is None:
            raise BadRecording(path, 0, "-", "is no DBN file, or damaged: it has no metadata")
        if self._metadata.dataset != DATASET:
            its = self._metadata.dataset
            raise BadRecording(path, 0, "-", f"is of {its}, and only {DATASET} can be read")
        schema = self._metadata.schema
        self._schema = None if schema is None else str(schema)

    def definitions(self) -> Iterator[Entry]:
        """Yield the contracts that the metadata define, in order of their first day.

        A number may stand for another contract on another day.
        """
        found = []
        for symbol, intervals in self._metadata.mappings.items():
            for interval in intervals:
                if interval["symbol"].isdigit():
                    start = datetime.combine(interval["start_date"], time(), UTC)
                    place = Place(self._path, 0)
                    define = partial(self._define, int(interval["symbol"]), symbol, place)
                    found.append((int(start.timestamp()) * 10**9, 0, define))
        yield from sorted(found, key=itemgetter(0))

    def records(self) -> Iterator[Entry]:
        """Yield the records of schemas that are used. What the live gateway sent has several in one file."""
        if self._schema is not None and self._schema not in _ORDER:
            self._problems.note(Place(self._path, 0), _NOT_USED, shown=self._schema)
            self._stream.close()
            return
        for number, record in enumerate(self._stream, start=1):
            place = Place(self._path, number)
            schema = self._schema or _schema_of(record)
            ts = getattr(record, "ts_recv", None) or record.ts_event  # a symbol mapping has only the second
            if schema not in _ORDER:
                self._problems.note(place, _NOT_USED, shown=schema)
            elif not 0 < ts < _LAST_NS:
                self._problems.note(place, "a record without a time is left out")
            else:
                yield ts, _ORDER[schema], partial(self._apply, schema, record, ts, place)

    def _define(self, number: int, symbol: str, place: Place) -> None:
        contract = osi.parse(symbol)
        if contract is None:
            self._problems.note(place, "a symbol that is no OSI name is left out", shown=symbol)
        else:
            self._book.define(number, contract)

    def _apply(self, schema: str, record: Record, ts: int, place: Place) -> None:
        """Change the book by a record."""
        number = record.instrument_id
        if schema == "definition":
            self._define(number, record.raw_symbol, place)
        elif schema == _MAPPING:
            self._define(number, record.stype_out_symbol, place)
        elif not self._book.knows(number):
            kind = "a record of a contract without definition is left out"
            self._problems.note(place, kind, shown=str(number))
        elif schema == "statistics":
            self._statistic(record, place)
        else:
            self._quote(record, ts, place)

    def _statistic(self, record: Record, place: Place) -> None:
        import databento_dbn as dbn

        known = record.quantity != dbn.UNDEF_STAT_QUANTITY
        if record.stat_type == dbn.StatType.OPEN_INTEREST and known:
            self._book.open_interest(record.instrument_id, place, record.quantity)

    def _quote(self, record: Record, ts: int, place: Place) -> None:
        import databento_dbn as dbn

        number, price = record.instrument_id, _price(record.price)
        if (
            getattr(record, "action", None) == dbn.Action.TRADE
        ):  # of one exchange; its quote is another record
            self._book.trade(number, ts, place, price, record.size)
            return
        if record.publisher_id != _CONSOLIDATED:
            return
        best = record.levels[0]
        values: Mapping[str, float] = {
            "bid": _price(best.bid_px),
            "ask": _price(best.ask_px),
            "bid_size": best.bid_sz,
            "ask_size": best.ask_sz,
            **({"last": price} if price and not hasattr(record, "action") else {}),  # cbbo: the last sale
        }
        self._book.quote(number, ts, place, **values)


_MAPPING = "symbol-mapping"
_ORDER = {"definition": 0, _MAPPING: 0, "statistics": 1, **dict.fromkeys(_QUOTES, 2)}
_NOT_USED = "records of a schema that is not used are left out"


def _schema_of(record: Record) -> str:
    """Return the schema of a record in a file of several."""
    name = str(record.rtype)
    return "definition" if name == "instrument-def" else name


def _price(scaled: int) -> float:
    """Return a price from billionths; 0 if it is undefined."""
    import databento_dbn as dbn

    return 0.0 if scaled == dbn.UNDEF_PRICE else scaled / dbn.FIXED_PRICE_SCALE
