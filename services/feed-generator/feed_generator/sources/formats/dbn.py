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


class _File:
    """One file: its schema, and how its records change the book."""

    def __init__(
        self, path: str, book: OptionBook, problems: Problems, progress: Callable[[int], None] | None
    ) -> None:
        self._path, self._book, self._problems, self._progress = path, book, problems, progress
        self._stream = self._decoded()
        self._metadata: Record = next(self._stream, None)
        if self._metadata is None:
            raise BadRecording(path, 0, "-", "is no DBN file, or damaged: it has no metadata")
        if self._metadata.dataset != DATASET:
            its = self._metadata.dataset
            raise BadRecording(path, 0, "-", f"is of {its}, and only {DATASET} can be read")
        self._schema = str(self._metadata.schema)
        if self._schema not in _ORDER:
            problems.note(Place(path, 0), "a schema is not used", shown=self._schema)

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
        """Yield the records of a schema that is used."""
        order = _ORDER.get(self._schema)
        if order is None:
            self._stream.close()
            return
        for number, record in enumerate(self._stream, start=1):
            ts = getattr(record, "ts_recv", 0)  # messages of the live gateway have none
            if not 0 < ts < _LAST_NS:
                self._problems.note(Place(self._path, number), "a record without a time is left out")
                continue
            yield ts, order, partial(self._apply, record, ts, Place(self._path, number))

    def _decoded(self) -> Generator[Record]:
        import databento_dbn as dbn

        with text.opened(self._path) as file:
            packed = text.peeked(file).startswith(text.ZSTD_MAGIC)
            compression: Any = dbn.Compression.ZSTD if packed else dbn.Compression.NONE
            decoder = dbn.DBNDecoder(compression=compression)
            try:
                while chunk := file.read(_CHUNK):
                    decoder.write(chunk)
                    yield from decoder.decode()
                    if self._progress:
                        self._progress(len(chunk))
            except (dbn.DBNError, RuntimeError) as error:  # the second: not a zstd frame
                raise BadRecording(self._path, 0, "-", f"is no DBN file, or damaged: {error}") from None

    def _define(self, number: int, symbol: str, place: Place) -> None:
        contract = osi.parse(symbol)
        if contract is None:
            self._problems.note(place, "a symbol that is no OSI name is left out", shown=symbol)
        else:
            self._book.define(number, contract)

    def _apply(self, record: Record, ts: int, place: Place) -> None:
        """Change the book by a record."""
        number = record.instrument_id
        if self._schema == "definition":
            self._define(number, record.raw_symbol, place)
        elif not self._book.knows(number):
            kind = "a record of a contract without definition is left out"
            self._problems.note(place, kind, shown=str(number))
        elif self._schema == "statistics":
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


_ORDER = {"definition": 0, "statistics": 1, **dict.fromkeys(_QUOTES, 2)}


def _price(scaled: int) -> float:
    """Return a price from billionths; 0 if it is undefined."""
    import databento_dbn as dbn

    return 0.0 if scaled == dbn.UNDEF_PRICE else scaled / dbn.FIXED_PRICE_SCALE
