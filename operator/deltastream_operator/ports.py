"""What the programs need from the world outside, promised before it is built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from deltastream_operator.domain.signals import Reading


class Clock(Protocol):
    """Time, so that tests can move it by hand. Python's `time` module is one."""

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never goes back."""

    def time(self) -> float:
        """Seconds since the epoch, for what people read; may jump."""


class SignalSource(Protocol):
    """Where the load of feeds is read."""

    def read(self, feeds: Sequence[str]) -> Mapping[str, Reading]:
        """One reading for each feed, all of one moment.

        Never raises for an outage: then each feed is Unknown with the cause. Blocks for its timeouts at most.
        """
