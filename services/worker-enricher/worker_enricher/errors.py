"""The errors of this service: for one entry, and for the stores."""

from __future__ import annotations

from typing import Literal

Reason = Literal[
    "too_large", "not_json", "schema", "not_finite", "inconsistent", "clock_skew", "deliveries_exhausted"
]


class EnricherError(Exception):
    """Base class of this service's errors."""


class RefusedError(EnricherError):
    """An entry that can never be stored. It goes to the dead letters; the rest of its batch continues.

    `detail` names the field and the rule, never the whole payload.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason: Reason = reason
        self.detail = detail[:500]


class StoreRejectedError(EnricherError):
    """MongoDB refused documents, and not because they already exist."""


class StoreFullError(EnricherError):
    """MongoDB refuses all writes for now (no disk space, over quota). This is an outage."""
