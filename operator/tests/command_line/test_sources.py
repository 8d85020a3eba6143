"""`deltastream check-source`: the real generator against a fake exchange, through the real command line."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.fake_deribit.market import Market
from tests.support.fake_deribit.server import FakeDeribit, running
from typer.testing import Result

Run = Callable[..., Result]
FEED = """
apiVersion: deltastream.dev/v1alpha1
kind: DeltaStreamFeed
metadata: {{name: mine}}
spec:
  products: [{product}]
  source: {{deribit: {{currencies: [{product}], expiries: 1, strikesPerSide: 2, url: "{url}"}}}}
"""


@pytest.fixture(scope="module")
def exchange() -> Iterator[FakeDeribit]:
    with running(FakeDeribit(Market(time.time_ns() // 1_000_000, strikes=2))) as fake:
        yield fake


def _file(folder: Path, **values: str) -> str:
    file = folder / "feed.yaml"
    file.write_text(FEED.format(**values))
    return str(file)


def test_it_counts_what_a_live_source_gives(run: Run, exchange: FakeDeribit, tmp_path: Path) -> None:
    """It connects, lists, counts and ends, without any running system."""
    file = _file(tmp_path, product="BTC", url=exchange.url)
    result = run("check-source", file, "--seconds", "1", "-o", "json")
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    (source,) = report["sources"]
    assert (source["feed"], source["connected"]) == ("mine", "yes")
    assert (source["contracts"], source["option_quote"], source["refused"]) == (8, 8, 0)
    assert report["notes"] == ["mine: Connected: 8 contracts of BTC"]


def test_what_keeps_a_source_from_connecting_is_one_line_and_exit_code_1(
    run: Run, exchange: FakeDeribit, tmp_path: Path
) -> None:
    """It does not wait when only a person can help."""
    result = run("check-source", _file(tmp_path, product="DOGE", url=exchange.url))
    assert result.exit_code == 1
    assert "mine: NoInstruments: the exchange lists no options of DOGE: check products" in result.output


def test_a_frame_that_cannot_be_used_is_counted_and_explained(
    run: Run, exchange: FakeDeribit, tmp_path: Path
) -> None:
    """A price of -1 in every ticker: the source is connected and says why it has no quotes."""
    exchange.faults.edit = lambda data: data.update(best_bid_price=-1)
    result = run("check-source", _file(tmp_path, product="BTC", url=exchange.url), "--seconds", "1")
    exchange.faults.edit = None
    assert result.exit_code == 0, result.output
    said = "mine: 8 frames are refused, the first: a ticker's best_bid_price is negative or above 1e+09"
    assert said in " ".join(result.output.split())


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("synthetic: {}", "mine: has no live source to connect to"),
        ("kite: {}", "mine: spec.source.kite: in a local run KITE_API_KEY_FILE and KITE_ACCESS_TOKEN_FILE"),
        ("deribit: {currencies: [ETH]}", "spec.products: BTC: Deribit's products are named after a currency"),
    ],
)
def test_a_feed_that_cannot_be_proved_is_a_usage_error(
    run: Run, tmp_path: Path, source: str, text: str
) -> None:
    """The text names the feed or the field."""
    file = tmp_path / "feed.yaml"
    head, _, _ = FEED.format(product="BTC", url="ws://x").partition("  source:")
    file.write_text(f"{head}  source: {{{source}}}\n")
    result = run("check-source", str(file))
    assert (result.exit_code, text in result.output) == (2, True), result.output
