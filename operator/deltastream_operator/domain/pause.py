"""Pause a feed by annotations: the operator changes nothing, either without limit or until a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

PAUSED = "deltastream.dev/paused"
PAUSED_UNTIL = "deltastream.dev/paused-until"


@dataclass(frozen=True, kw_only=True)
class PauseRequest:
    """The pause that the annotations request. `problem` names annotations that cannot be read."""

    paused: bool = False
    until: datetime | None = None
    problem: str | None = None

    def active(self, now: datetime) -> str | None:
        """Return why the feed is paused at `now`, or None if it is not.

        An annotation that cannot be read pauses the feed too, because its author wanted a pause.
        """
        if self.problem:
            return self.problem
        if self.paused:
            return f"{PAUSED} is true; remove the annotation to resume"
        if self.until and now < self.until:
            return f"{PAUSED_UNTIL} is {self.until.isoformat()}; the feed resumes automatically at that time"
        return None


NOT_PAUSED = PauseRequest()


def read(annotations: Mapping[str, str]) -> PauseRequest:
    """Return the pause that a resource's annotations request."""
    problems: list[str] = []
    value = annotations.get(PAUSED, "false")
    if value not in ("true", "false"):
        problems.append(f'{PAUSED} must be "true" or "false", not {value!r:.60}')
    until, text = None, annotations.get(PAUSED_UNTIL)
    if text is not None:
        try:
            until = datetime.fromisoformat(text)
        except ValueError:
            until = None
        if until is None or until.tzinfo is None:
            until = None
            problems.append(
                f"{PAUSED_UNTIL} must be a time with its zone, such as 2026-11-25T09:15:00Z, not {text!r:.60}"
            )
    return PauseRequest(paused=value == "true", until=until, problem="; ".join(problems) or None)
