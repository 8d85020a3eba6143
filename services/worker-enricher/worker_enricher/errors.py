"""The errors of this service about the stores. A refused entry is a `market_refusal.RefusedError`."""

from __future__ import annotations


class EnricherError(Exception):
    """Base class of this service's errors."""


class StoreRejectedError(EnricherError):
    """MongoDB refused documents, and not because they already exist."""


class StoreFullError(EnricherError):
    """MongoDB refuses all writes for now (no disk space, over quota). This is an outage."""
