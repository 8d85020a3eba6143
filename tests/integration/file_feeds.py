"""The feeds that replay the files that people have: products, file, and what the file does not say."""

from __future__ import annotations

from pathlib import Path

FILES = Path(__file__).parents[2] / "services/feed-generator/tests/files"
FILE_FEEDS = {
    "nse-file": (
        "NIFTY",
        f"path: {FILES}/option-chain-ED-NIFTY-27-Jun-2024.csv, asOf: '2024-06-21T15:30:00+05:30'",
    ),
    "cboe-file": ("SPX, SPXW", f"path: {FILES}/cboe_quotes_export.csv"),
    "yahoo-file": ("NVDA", f"path: {FILES}/yahoo_like.csv, asOf: '2025-02-13T16:00:00-05:00'"),
    "deribit-file": ("BTC", f"path: {FILES}/deribit_rows.csv"),
}
"""By feed: its products and its replay, as in the feed's YAML."""
