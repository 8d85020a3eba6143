"""Find the changes of live sources to report: as Events in a cluster, as lines in a local run."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from typing import Any

from deltastream_operator.domain import conditions
from deltastream_operator.domain.conditions import Condition
from deltastream_operator.domain.source import SourceState


class SourceNews:
    """Keeps the last known state of each feed's source, by a key that the caller chooses.

    Unknown does not replace the last known status. So a connection that comes back after its generator was
    replaced is news only if it was down before.
    """

    def __init__(self) -> None:
        self._known: dict[str, dict[str, str]] = {}

    def of(
        self, key: str, state: SourceState | None, previous: Sequence[Mapping[str, Any]]
    ) -> list[Condition]:
        """Return the conditions of a source that are news. A first True is not.

        `previous` are the conditions of the last status. They say what is known after a restart.
        """
        if state is None:
            self._known.pop(key, None)
            return []
        known = self._known.get(key) or _of(previous)
        now = {one.type: one for one in conditions.of_source(state) if one.status != "Unknown"}
        self._known[key] = known | {kind: one.status for kind, one in now.items()}
        return [
            one
            for kind, one in now.items()
            if known.get(kind) != one.status and "False" in (known.get(kind), one.status)
        ]

    def forget(self, kept: Container[str]) -> None:
        """Drop what is known of all keys but these."""
        self._known = {key: known for key, known in self._known.items() if key in kept}


def _of(previous: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    return {
        row["type"]: row["status"]
        for row in previous
        if row["type"] in conditions.OF_LIVE_SOURCES and row["status"] != "Unknown"
    }
