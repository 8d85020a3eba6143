"""Decide from the results of a probe whether a process hangs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Rule:
    """The settings of a probe, as in a pod. Times are in seconds.

    A process hangs if it does not answer within `start_s` of its start or, after its first good answer, if
    `failures` probes fail in a row.
    """

    period_s: float = 10
    timeout_s: float = 5
    failures: int = 3
    start_period_s: float = 1
    start_s: float = 90


class Liveness:
    """The probe results of one run of a process that started at `now`. Times are from a monotonic clock.

    A gap between two polls (a laptop that slept, a debugger on the local run) causes one failure at most.
    Only one request is open at a time, and the caller reads an arrived reply before it checks `overdue`.
    """

    def __init__(self, rule: Rule, now: float) -> None:
        self._rule, self._started_at = rule, now
        self._sent_at: float | None = None
        self._next_at = now
        self._failures = 0
        self.answered_at: float | None = None  # time of the last good answer
        self.silent_since: float | None = None  # when the first of the requests that failed in a row was sent
        self.hung = False

    def due(self, now: float) -> bool:
        """Return whether to send a request now."""
        return self._sent_at is None and now >= self._next_at

    def request_sent(self, now: float) -> None:
        """Record that a request was sent."""
        self._sent_at = now
        starting = self.answered_at is None
        self._next_at = now + (self._rule.start_period_s if starting else self._rule.period_s)

    def overdue(self, now: float) -> bool:
        """Return whether the open request has exceeded the timeout."""
        return self._sent_at is not None and now - self._sent_at >= self._rule.timeout_s

    def answered(self, now: float, *, well: bool) -> None:
        """Record the result of the open request. `well` is False for a bad reply, an error or a timeout."""
        sent_at, self._sent_at = self._sent_at, None
        if well:
            if self.answered_at is None:
                self._next_at = now + self._rule.period_s
            self._failures, self.answered_at, self.silent_since, self.hung = 0, now, None, False
            return
        self._failures += 1
        if self.silent_since is None:
            self.silent_since = sent_at
        if self.answered_at is None:
            self.hung = now - self._started_at >= self._rule.start_s
        else:
            self.hung = self._failures >= self._rule.failures
