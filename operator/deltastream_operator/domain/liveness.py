"""Whether a process still answers: the samples of its probe in, the verdict out."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A probe as a pod has it: `failures` in a row are a hang, once a first answer has ended the start."""

    period_s: float = 10
    timeout_s: float = 5
    failures: int = 3
    start_period_s: float = 1
    start_s: float = 90


class Liveness:
    """One run of a process, from its start at `now`. Times are those of a monotonic clock.

    A gap between two looks (a laptop that slept, a debugger on the local run) costs one sample at most: only
    one is open at a time, and whoever looks reads an answer that has come before counting it as overdue.
    """

    def __init__(self, rule: Rule, now: float) -> None:
        self._rule, self._started_at = rule, now
        self._asked_at: float | None = None
        self._next_at = now
        self._failures = 0
        self.answered_at: float | None = None  # the last time
        self.silent_since: float | None = None  # when the first question of the row was asked
        self.hung = False

    def due(self, now: float) -> bool:
        """Whether to ask now."""
        return self._asked_at is None and now >= self._next_at

    def asked(self, now: float) -> None:
        """A question is on its way."""
        self._asked_at = now
        starting = self.answered_at is None
        self._next_at = now + (self._rule.start_period_s if starting else self._rule.period_s)

    def overdue(self, now: float) -> bool:
        """Whether the open question has waited for long enough."""
        return self._asked_at is not None and now - self._asked_at >= self._rule.timeout_s

    def answered(self, now: float, *, well: bool) -> None:
        """The open question is closed: answered well, or badly or not at all."""
        asked_at, self._asked_at = self._asked_at, None
        if well:
            if self.answered_at is None:
                self._next_at = now + self._rule.period_s
            self._failures, self.answered_at, self.silent_since, self.hung = 0, now, None, False
            return
        self._failures += 1
        if self.silent_since is None:
            self.silent_since = asked_at
        if self.answered_at is None:
            self.hung = now - self._started_at >= self._rule.start_s
        else:
            self.hung = self._failures >= self._rule.failures
