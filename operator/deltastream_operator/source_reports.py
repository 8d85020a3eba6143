"""Read what a feed's generators report of their connections: the contract feed-source."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from deltastream_operator.domain.source import SourceState, together

LIVES_S = 15.0
_TEXT_MAX = 400
_REASON = re.compile(r"[A-Z][A-Za-z]{0,39}")


def source_state(reports: Mapping[str, str], now_s: float) -> SourceState:
    """Return the state of a feed from the fields of its hash. An outdated or malformed report does not count.

    `now_s`: seconds since the Unix epoch.
    """
    return together(_states(reports, now_s))


def _states(reports: Mapping[str, str], now_s: float) -> Iterator[SourceState]:
    for text in reports.values():
        try:
            report = json.loads(text)
            if now_s - report["ts"] / 1e9 > LIVES_S:
                continue
            if not _REASON.fullmatch(report["reason"]):
                continue
            yield SourceState(
                connected=bool(report["connected"]),
                authorized=bool(report["authorized"]),
                reason=report["reason"],
                message=str(report["message"])[:_TEXT_MAX],
            )
        except (ValueError, TypeError, KeyError):
            continue
