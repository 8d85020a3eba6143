"""Read what a feed's generators report of their connections: the contract feed-source."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from deltastream_operator.domain.source import Report, SourceState, unknown

LIVES_S = 15.0
_TEXT_MAX = 400
_REASON = re.compile(r"[A-Z][A-Za-z]{0,39}")
# A generator that has just started is not connected yet, which is no fault: its state is unknown.
_STARTING = "Connecting"


def fresh(fields: Mapping[str, str], now_s: float) -> dict[int, Report]:
    """Return the reports by shard from the fields of a feed's hash, without outdated and malformed ones.

    `now_s`: seconds since the Unix epoch.
    """
    found = {}
    for field, text in fields.items():
        try:
            report = json.loads(text)
            if now_s - report["ts"] / 1e9 <= LIVES_S and _REASON.fullmatch(report["reason"]):
                found[int(field)] = Report(kind=str(report["source"]), state=_state(report))
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
            continue
    return found


def _state(report: Mapping[str, object]) -> SourceState:
    reason, message = str(report["reason"]), str(report["message"])[:_TEXT_MAX]
    if reason == _STARTING:
        return unknown(reason=reason, message=message)
    return SourceState(
        connected=bool(report["connected"]),
        authorized=bool(report["authorized"]),
        reason=reason,
        message=message,
    )
