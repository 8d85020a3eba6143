"""Interfaces that the programs need and that adapters or tests implement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from deltastream_operator.domain.signals import Reading


class Clock(Protocol):
    """A clock that tests can replace. Python's `time` module implements it."""

    def monotonic(self) -> float:
        """Return seconds since an arbitrary fixed moment. The value never decreases."""

    def time(self) -> float:
        """Return seconds since the Unix epoch, for timestamps. The value may jump."""


class SignalSource(Protocol):
    """The source of the feeds' load, such as Redis."""

    def read(self, feeds: Sequence[str]) -> Mapping[str, Reading]:
        """Return one reading for each feed, all taken at the same moment.

        An outage raises nothing: each feed is then Unknown with the cause. The call blocks, limited by the
        timeouts of the source.
        """
