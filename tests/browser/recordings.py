"""A small recording of ten minutes, and a feed that replays it."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

CLOSE = Path(__file__).parents[2] / "k8s/samples/data/nifty_2024-06-21_close.csv"
FIRST = datetime(2024, 6, 21, 9, 30, tzinfo=UTC)
SNAPSHOTS, APART = 61, timedelta(seconds=10)
LAST = FIRST + (SNAPSHOTS - 1) * APART


def write_day(path: Path, snapshots: int = SNAPSHOTS) -> Path:
    """Write the strikes near the money of 21 June 2024, once every 10 s, while the spot rises by 1."""
    with CLOSE.open() as file:
        near = [row for row in csv.DictReader(file) if abs(float(row["strike"]) - 23500) <= 500]
    with path.open("w", newline="") as file:
        out = csv.DictWriter(file, ["timestamp", *near[0]])
        out.writeheader()
        for at in range(snapshots):
            shown = {"timestamp": (FIRST + at * APART).isoformat(), "spot": f"{23501.1 + at:.2f}"}
            out.writerows({**row, **shown} for row in near)
    return path


def write_feed(folder: Path, name: str = "day") -> Path:
    """Write the feed `name`, which replays that recording at its own pace."""
    write_day(folder / f"{name}.csv")
    feed = {
        "apiVersion": "deltastream.dev/v1alpha1",
        "kind": "DeltaStreamFeed",
        "metadata": {"name": name},
        "spec": {
            "mode": "Manual",
            "products": ["NIFTY"],
            "source": {"replay": {"path": f"{name}.csv"}},
            "generator": {"minReplicas": 1, "maxReplicas": 1},
            "enricher": {"replicas": 1},
        },
    }
    path = folder / f"{name}.yaml"
    path.write_text(json.dumps(feed))  # JSON is YAML
    return path
