"""Write snapshots as rows of the product's own CSV, with what another format stated of its contracts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime

from feed_generator.sources.formats.deltastream import AGE, COUNTS, NEEDED, OPTIONAL, PRICES
from feed_generator.sources.formats.row import VENDOR_COLUMNS
from feed_generator.sources.recording import RecordedChain, Snapshot

HEADER = (*OPTIONAL, *NEEDED)
Cell = str | float | int


def rows(snapshot: Snapshot) -> Iterator[list[Cell]]:
    """Yield the cells of each contract of a snapshot in the order of HEADER; an empty one is not stated."""
    for _, chain in sorted(snapshot.chains.items()):
        terms = _terms(chain)
        for (strike, is_call), leg in sorted(chain.legs.items()):
            key = strike, is_call
            vendor = chain.vendor.get(key, {})
            age_ns = snapshot.ts - chain.times.get(key, snapshot.ts)
            cells: dict[str, Cell] = {
                **terms,
                "timestamp": _iso(snapshot.ts),
                "product": snapshot.product,
                "expiry": chain.expiry.isoformat(),
                "strike": strike,
                "spot": snapshot.spot,
                "side": "C" if is_call else "P",
                **{f"vendor_{name}": vendor[name] for name in VENDOR_COLUMNS if name in vendor},
                **({AGE: age_ns / 1_000_000} if age_ns else {}),
                **{column: leg[name] for name, column in (PRICES | COUNTS).items() if name in leg},
            }
            yield [cells.get(name, "") for name in HEADER]


def _terms(chain: RecordedChain) -> dict[str, Cell]:
    stated = {name: value for name, value in asdict(chain.stated).items() if value is not None}
    if "expiry_ns" in stated:
        stated["expiry_time"] = _iso(stated.pop("expiry_ns"))
    return stated


def _iso(ns: int) -> str:
    """Return a time in RFC 3339, UTC, cut to microseconds."""
    seconds, rest = divmod(ns, 10**9)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // 1000).isoformat()
