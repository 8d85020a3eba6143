"""What can go wrong with one entry, and what can go wrong around it."""

from __future__ import annotations

from typing import Literal

Reason = Literal[
    "too_large", "not_json", "schema", "not_finite", "inconsistent", "clock_skew", "deliveries_exhausted"
]


class EnricherError(Exception):
    """Base of this service's errors."""


class RefusedError(EnricherError):
    """This entry can never be stored: it goes to the dead letters, its neighbours go on.

    `detail` names the field and the rule, never the payload.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason: Reason = reason
        self.detail = detail[:500]


class StoreRejectedError(EnricherError):
    """MongoDB refused documents for another reason than being there already."""


class StoreFullError(EnricherError):
    """MongoDB takes no writes for now (no disk space, over quota): an outage, whatever the document."""
