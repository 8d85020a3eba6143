"""Test that `--check` names fields of the feed, not variables, if the feed generator refuses the feed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from deltastream_operator.domain.feed import Feed, Kite, Replay, Synthetic
from deltastream_operator.errors import FeedError
from deltastream_operator.local.bootstrap import check_runnable
from deltastream_operator.local.services import Services
from deltastream_operator.local.settings import load
from deltastream_operator.local.state.home import Home

ROOT = Path(__file__).resolve().parents[3]
FILES = ROOT / "services/feed-generator/tests/files"
AS_OF = "2024-06-21T15:30:00+05:30"
RECORDING = ROOT / "k8s/samples/data/nifty_2024-06-21_close.csv"
FEED = Feed(name="desk", products=("NIFTY",), source=Synthetic())


def refusal(feed: Feed, home: Path) -> str:
    """Return the error text for a feed that the real feed generator refuses."""
    with pytest.raises(FeedError) as caught:
        check_runnable([feed], Services(root=ROOT, home=Home(home), settings=load({}, {})))
    return str(caught.value)


def test_unknown_products_are_listed_with_their_field(tmp_path: Path) -> None:
    """One line names the field, the unknown products and the available products."""
    text = refusal(replace(FEED, products=("NIFTI", "NIFTY", "APPL")), tmp_path)
    assert text.startswith("desk: spec.products: the rulebook has no 'NIFTI', 'APPL'; it knows AAPL, ")
    assert "\n" not in text


def test_a_replayed_product_without_rules_may_be_defined_in_the_feed(tmp_path: Path) -> None:
    """The message names the field for it."""
    text = refusal(replace(FEED, products=("MINI",), source=Replay(path=RECORDING, as_of=AS_OF)), tmp_path)
    assert text.startswith("desk: spec.products: the rulebook has no 'MINI'; it knows AAPL, ")
    assert text.endswith("; or define it in the feed that replays the files (spec.definitions)")


def test_for_a_recording_without_times_the_message_names_as_of(tmp_path: Path) -> None:
    """The generator names a variable in brackets. `--check` replaces it with the field of the feed."""
    text = refusal(replace(FEED, source=Replay(path=RECORDING)), tmp_path)
    assert text.endswith(
        "does not state the time of its prices (spec.source.replay.asOf); set it beside the file"
    )


def test_a_kite_feed_needs_the_files_of_its_credentials(tmp_path: Path) -> None:
    """Their content is not read here: a token that is missing or has ended is a state of the running feed."""
    kite = replace(FEED, source=Kite())
    text = refusal(kite, tmp_path)
    files = "KITE_API_KEY_FILE and KITE_ACCESS_TOKEN_FILE"
    assert text == f"desk: spec.source.kite: in a local run {files} must name a file (docs/how-to/kite.md)"
    settings = load(dict.fromkeys(("KITE_API_KEY_FILE", "KITE_ACCESS_TOKEN_FILE"), "/absent"), {})
    check_runnable([kite], Services(root=ROOT, home=Home(tmp_path), settings=settings))


def test_what_a_file_does_not_state_is_named_by_its_fields(tmp_path: Path) -> None:
    """One error asks for all of it."""
    path = tmp_path / "chain.csv"
    path.write_bytes((FILES / "option-chain-ED-NIFTY-27-Jun-2024.csv").read_bytes())
    text = refusal(replace(FEED, source=Replay(path=path)), tmp_path)
    assert "(spec.source.replay.expiry) and the time of its prices (spec.source.replay.asOf)" in text


def test_what_was_derived_is_said(tmp_path: Path) -> None:
    """A file of NSE does not state the spot: the check says where it came from."""
    path = FILES / "option-chain-ED-NIFTY-27-Jun-2024.csv"
    feed = replace(FEED, source=Replay(path=path, as_of=AS_OF))
    notes = check_runnable([feed], Services(root=ROOT, home=Home(tmp_path), settings=load({}, {})))
    assert [note for note in notes if note.startswith("desk: ") and "derived from put-call parity" in note]
