"""The local run refuses invalid feeds before it starts any process."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.local_system import PYTHON, ROOT, LocalSystem

FEED = """
apiVersion: deltastream.dev/v1alpha1
kind: DeltaStreamFeed
metadata: {{name: desk}}
spec:
  products: [{product}]
  source: {source}
  enricher: {{replicas: 1}}
"""
REPLAY = "{replay: {path: bad.csv, asOf: '2024-06-21T15:30:00+05:30'}}"


@pytest.mark.parametrize(
    ("product", "source", "complaint"),
    [
        ("NOPE", "{synthetic: {seed: 1}}", "desk: spec.products: the rulebook has no 'NOPE'; it knows "),
        ("NIFTY", REPLAY, "bad.csv, line 1: has a header of no known format"),
        ("NIFTY", "{synthetic: {sead: 1}}", "spec.source.synthetic.sead: unknown field; did you mean seed?"),
    ],
    ids=["unknown product", "malformed recording", "misspelt field"],
)
def test_an_invalid_feed_gives_one_line_and_no_process_starts(
    tmp_path: Path, product: str, source: str, complaint: str
) -> None:
    """It exits with 2, names the field or the line of the file, and leaves no state behind."""
    (tmp_path / "bad.csv").write_text("expiry,strike\n2024-06-27,23500\n")
    feed = tmp_path / "desk.yaml"
    feed.write_text(FEED.format(product=product, source=source))
    system = LocalSystem(tmp_path / "home")
    done = subprocess.run(
        [PYTHON, "-m", "deltastream_operator", "local", "--feeds", str(feed)],
        cwd=ROOT,
        env=system.env(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert complaint in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
    assert not system.home.exists()
