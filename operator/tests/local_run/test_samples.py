"""The feeds in the README and in k8s/samples are valid."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
import yaml

from deltastream_operator.domain.feed import (
    ConfigMapRef,
    Replay,
)
from deltastream_operator.parsing import resource

REPO = Path(__file__).resolve().parents[3]
SAMPLES = REPO / "k8s/samples"
RECORDINGS = {
    "recording-nifty-2024-06-21.yaml": "nifty_2024-06-21_close.csv",
    "instead/recording-nifty-2024-06-20.yaml": "nifty_2024-06-20_expiry_day.csv",
}


def test_the_feed_in_the_readme_is_valid() -> None:
    """Users copy it without changes."""
    text = (REPO / "README.md").read_text().partition("```yaml\n")[2].partition("```")[0]
    feeds, bad = resource.parse(textwrap.dedent(text), Path("README.md"))
    assert ([feed.name for feed in feeds], bad) == (["mine"], [])


def test_the_samples_are_valid_and_can_be_applied_together() -> None:
    """`kubectl apply -f k8s/samples/` works: no two feeds share a product. All modes but Recommend appear."""
    files = sorted(file for file in SAMPLES.glob("*.yaml") if file.name not in RECORDINGS)
    feeds = {feed.name: feed for feed in resource.load(files)}
    assert sorted(feeds) == ["deribit-btc", "external", "manual", "nifty-replay", "synthetic"]
    assert {feed.mode for feed in feeds.values()} == {"Automatic", "External", "Manual"}
    source = feeds["nifty-replay"].source
    assert isinstance(source, Replay)
    assert source.path == SAMPLES / "data/nifty_2024-06-21_close.csv"
    assert (source.config_map, source.as_of) == (
        ConfigMapRef(name="nifty-2024-06-21"),
        "2024-06-21T15:30:00+05:30",
    )
    for name in ("nifty-expiry-day", "kite"):
        assert [feed.name for feed in resource.load([SAMPLES / f"instead/{name}.yaml"])] == [name]


@pytest.mark.parametrize(("file", "csv"), RECORDINGS.items())
def test_a_samples_config_map_contains_the_recording(file: str, csv: str) -> None:
    """A replay has the same results in a cluster and in a local run."""
    config_map = yaml.safe_load((SAMPLES / file).read_text())
    assert config_map["data"] == {"recording.csv": (SAMPLES / "data" / csv).read_text()}
    folder = (SAMPLES / file).parent
    readers = [reader.read_text() for reader in folder.glob("nifty-*.yaml")]
    assert any(f"name: {config_map['metadata']['name']} " in text for text in readers)
