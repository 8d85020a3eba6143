"""Fixtures for several tests: markets, recordings, and a publisher on a simulated clock."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import redis
from prometheus_client import REGISTRY
from redis.exceptions import OutOfMemoryError

from feed_generator.buffer import Buffer, Named
from feed_generator.domain.rulebook import known_rules, rules
from feed_generator.messages import Message
from feed_generator.publisher import Publisher
from feed_generator.sources import loading
from feed_generator.sources.base import Batch
from feed_generator.sources.formats.row import Told
from feed_generator.sources.loading import Loaded
from feed_generator.sources.synthetic import SyntheticMarket

DATA = Path(__file__).parents[3] / "k8s" / "samples" / "data"
PRODUCTS = ("NIFTY", "BANKNIFTY", "FINNIFTY", "SENSEX", "SPX", "SPY", "QQQ", "AAPL", "TSLA")
# Monday 24 November 2025, 09:30 in India: NIFTY expires on the next day, SENSEX on Thursday.
START_NS = int(datetime(2025, 11, 24, 4, 0, tzinfo=UTC).timestamp()) * 10**9

MILLI = 1_000_000
SECOND = 1000 * MILLI
HIGH_WATER = 100

Load = Callable[..., Loaded]
MakeMarket = Callable[..., SyntheticMarket]
Record = dict[str, Any]


def _make_market(
    products: Sequence[str] = PRODUCTS,
    *,
    seed: int = 7,
    start_ns: int = START_NS,
    messages_per_second: int = 60,
    speed_percent: int = 100,
) -> SyntheticMarket:
    return SyntheticMarket(
        feed="synthetic",
        rules=[rules(name) for name in products],
        seed=seed,
        start_ns=start_ns,
        messages_per_second=messages_per_second,
        speed_percent=speed_percent,
    )


def _take(market: SyntheticMarket, count: int) -> list[Message]:
    found: list[Message] = []
    while len(found) < count:
        found += market.advance().messages
    return found


@pytest.fixture(scope="session")
def make_market() -> MakeMarket:
    """Makes a synthetic market of PRODUCTS, or of the products that the test names."""
    return _make_market


@pytest.fixture(scope="session")
def take() -> Callable[[SyntheticMarket, int], list[Message]]:
    """Takes at least the given number of messages from a market."""
    return _take


@pytest.fixture(scope="session")
def bodies() -> list[Record]:
    """The first 7,000 bodies of a market: 4 to 5 minutes, with market time at ten times the usual speed."""
    market = _make_market(messages_per_second=28, speed_percent=1000)
    return [json.loads(message.body) for message in _take(market, 7000)]


@pytest.fixture(scope="session")
def chains(bodies: list[Record]) -> list[Record]:
    """The chains among `bodies`."""
    return [body for body in bodies if body["kind"] == "option_chain"]


@pytest.fixture(scope="session")
def quotes(bodies: list[Record]) -> list[Record]:
    """The quotes among `bodies`."""
    return [body for body in bodies if body["kind"] == "option_quote"]


@pytest.fixture(params=["nifty_2024-06-20_expiry_day.csv", "nifty_2024-06-21_close.csv"])
def sample(request: pytest.FixtureRequest) -> Path:
    """The path of each recording that ships with the product."""
    return DATA / str(request.param)


class Market:
    """A source that emits a tick, a chain and two quotes (symbols A and B) every 100 ms, with a number."""

    def __init__(self) -> None:
        self.turn, self.skipped = 0, 0

    def due_ns(self) -> int | None:
        return self.turn * 100 * MILLI

    def advance(self) -> Batch:
        body = json.dumps({"turn": self.turn, "skipped": self.skipped}).encode()
        self.turn += 1
        kinds = (("underlying", None), ("option_chain", None), ("option_quote", "A"), ("option_quote", "B"))
        return Batch(tuple(Message(kind, symbol, body) for kind, symbol in kinds))  # type: ignore[arg-type]

    def skip(self, gap_ns: int) -> None:
        self.skipped += gap_ns


class Stream:
    """An in-memory stream that keeps each message once, as the workers store it, and counts repetitions.

    If `unavailable` is set, every call fails; if `full` is set, `append` fails. `behind` is the backlog in
    entries, and `used` the share of memory in use.
    """

    def __init__(self) -> None:
        self.unavailable, self.full, self.behind, self.epochs = False, False, 0, 0
        self.used: float | None = None
        self.got: list[Named] = []
        self.repeated = 0

    def _check(self) -> None:
        if self.unavailable:
            raise redis.ConnectionError("unavailable")

    def next_epoch(self) -> int:
        self._check()
        self.epochs += 1
        return self.epochs

    def append(self, batch: Sequence[Named]) -> None:
        self._check()
        if self.full:
            raise OutOfMemoryError("used memory > 'maxmemory'")
        known = {named.mid for named in self.got}
        fresh = [named for named in batch if named.mid not in known]
        self.repeated += len(batch) - len(fresh)
        self.got += fresh

    def backlog(self) -> int:
        self._check()
        return self.behind

    def memory(self) -> float | None:
        self._check()
        return self.used


class Bench:
    """A publisher with its collaborators, on a clock that only `run` moves."""

    def __init__(self, limit_bytes: int = 10**6) -> None:
        self.now, self.beats = 0, 0
        self.market, self.stream, self.stop = Market(), Stream(), threading.Event()
        self.buffer = Buffer(limit_bytes)
        self.publisher = Publisher(
            self.market,
            self.stream,
            self.buffer,
            high_water=HIGH_WATER,
            stop=self.stop,
            beat=self._beat,
            clock=lambda: self.now,
            jitter=lambda: 1.0,
        )

    def _beat(self) -> None:
        self.beats += 1

    def run(self, seconds: float, step_ms: int = 10) -> None:
        for _ in range(int(seconds * 1000 / step_ms)):
            self.publisher.step()
            self.now += step_ms * MILLI

    def counts(self, since: int = 0) -> dict[str, int]:
        kinds = [named.kind for named in self.stream.got[since:]]
        return {kind: kinds.count(kind) for kind in ("underlying", "option_chain", "option_quote")}

    def turns(self, kind: str) -> list[int]:
        return [json.loads(named.body)["turn"] for named in self.stream.got if named.kind == kind]

    def behind(self, times: float) -> int:
        """Set the backlog to `times` the high water and run for 1 s; returns the stream's length."""
        self.stream.behind = int(times * HIGH_WATER)
        self.run(1.0)
        return len(self.stream.got)


@pytest.fixture
def make_bench() -> type[Bench]:
    """Makes a bench with a buffer of the given size in bytes."""
    return Bench


@pytest.fixture
def bench() -> Bench:
    """A publisher without backlog or outage."""
    return Bench()


@pytest.fixture
def counted() -> Callable[[str], float]:
    """Returns by how much a metric has grown since the test began."""
    names = ("feed_made_total", "feed_quotes_dropped_total", "feed_quotes_conflated_total")
    names += ("feed_skipped_seconds_total",)
    before = {name: REGISTRY.get_sample_value(name) or 0.0 for name in names}
    return lambda name: (REGISTRY.get_sample_value(name) or 0.0) - before[name]


def _load(path: str, *products: str, wanted: Any = "auto", **told: Any) -> Loaded:
    """Load a recording as a generator does; of NIFTY if no product is named."""
    names = products or ("NIFTY",)
    rules_of = known_rules(names)
    lots = loading.lots_of(rules_of)
    return loading.load(path, wanted, Told(products=names, lots=lots, **told), rules_of)


@pytest.fixture
def load() -> Load:
    return _load
