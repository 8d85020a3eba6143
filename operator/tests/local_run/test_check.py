"""What `--check` says of a feed that its generator refuses: the fields of the feed, not variables."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from deltastream_operator.domain.feed import Feed, Replay, Synthetic
from deltastream_operator.errors import FeedError
from deltastream_operator.local.run import check_runnable
from deltastream_operator.local.services import Services
from deltastream_operator.local.settings import load
from deltastream_operator.local.state.home import Home

ROOT = Path(__file__).resolve().parents[3]
FEED = Feed(name="desk", products=("NIFTY",), source=Synthetic())


def refusal(feed: Feed, home: Path) -> str:
    """The text of the refusal by the real feed generator."""
    with pytest.raises(FeedError) as caught:
        check_runnable([feed], Services(root=ROOT, home=Home(home), settings=load({}, {})))
    return str(caught.value)


def test_every_unknown_product_is_named_with_the_field_that_lists_them(tmp_path: Path) -> None:
    """One line names the field, each product that is not available and those that are."""
    text = refusal(replace(FEED, products=("NIFTI", "NIFTY", "APPL")), tmp_path)
    assert text.startswith("desk: spec.products: the rulebook has no 'NIFTI', 'APPL'; it knows AAPL, ")
    assert "\n" not in text


def test_a_recording_without_times_is_told_which_field_gives_one(tmp_path: Path) -> None:
    """The generator's text names a variable in brackets; the author of a feed sets a field."""
    recording = ROOT / "k8s/samples/data/nifty_2024-06-21_close.csv"
    text = refusal(replace(FEED, source=Replay(path=recording)), tmp_path)
    assert text.endswith("give the time of the snapshot (spec.source.replay.asOf)")
