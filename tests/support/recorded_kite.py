"""Kite's recorded packets, where the folder of recorded markets is at hand."""

from __future__ import annotations

import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parents[2].parent / "shared" / "data" / "markets" / "kite"

needs_recordings = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="the folder shared/data/markets is not beside the project"
)


def packet(name: str) -> bytes:
    """Return a recorded packet, without the message's lengths."""
    return b64decode((FOLDER / f"{name}.packet").read_text())


def said(name: str) -> dict[str, Any]:
    """Return what the vendor says that the packet contains."""
    loaded: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return loaded
