"""Locate an instant in its exchange's session."""

from __future__ import annotations

from datetime import date, timedelta

from feed_generator.domain.rulebook import ProductRules


class SessionClock:
    """The session of one product. It is looked up once a day, because time zone conversions are slow."""

    def __init__(self, rules: ProductRules) -> None:
        self._rules = rules
        self._midnight = self._next_midnight = 0
        self._open = self._close = 0
        self.day = date.min

    def fraction(self, ts_ns: int) -> float | None:
        """Return the share of the session that has passed at `ts_ns`, 0 to 1, or None while it is closed."""
        if not self._midnight <= ts_ns < self._next_midnight:
            self._turn(ts_ns)
        if not self._open <= ts_ns < self._close:
            return None
        return (ts_ns - self._open) / (self._close - self._open)

    def _turn(self, ts_ns: int) -> None:
        rules = self._rules
        self.day = rules.local_date(ts_ns)
        self._midnight = rules.midnight_ns(self.day)
        self._next_midnight = rules.midnight_ns(self.day + timedelta(days=1))
        self._open, self._close = rules.session_ns(self.day) if rules.is_trading_day(self.day) else (0, 0)
