"""Why a market message is refused: a stable reason, and a detail that names the field and the rule."""

from __future__ import annotations

from typing import Literal

Reason = Literal[
    "too_large", "not_json", "schema", "not_finite", "inconsistent", "clock_skew", "deliveries_exhausted"
]


class RefusedError(Exception):
    """A message that can never be stored. The other messages of its batch are not affected.

    `detail` names the field and the rule, never the whole payload.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason: Reason = reason
        self.detail = detail[:500]
