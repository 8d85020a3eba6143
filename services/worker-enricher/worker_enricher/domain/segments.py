"""Reductions over the chains that lie one after another in a flat array."""

from __future__ import annotations

import numpy as np

from worker_enricher.domain.arrays import Bools, Floats, Ints


class Segments:
    """Where each chain's strikes lie: chain i owns flat positions starts[i] .. starts[i] + counts[i] - 1."""

    __slots__ = ("adjacent", "count", "counts", "of", "positions", "size", "starts", "stops")

    def __init__(self, counts: list[int]) -> None:
        """counts: strikes of each chain, each at least 1."""
        self.counts = np.array(counts, dtype=np.int64)
        self.count = len(counts)
        ends = np.cumsum(self.counts)
        self.size = int(ends[-1])
        self.starts = ends - self.counts
        self.stops = ends
        self.of: Ints = np.repeat(np.arange(self.count), self.counts)
        self.positions: Ints = np.arange(self.size)
        self.adjacent: Bools = self.of[1:] == self.of[:-1]

    def first(self, flags: Bools) -> Ints:
        """Flat position of each chain's first True of flags (size,), or `size` where it has none."""
        return np.minimum.reduceat(np.where(flags, self.positions, self.size), self.starts)

    def last(self, flags: Bools) -> Ints:
        """Flat position of each chain's last True of flags (size,), or -1 where it has none."""
        return np.maximum.reduceat(np.where(flags, self.positions, -1), self.starts)

    def argmin(self, values: Floats) -> Ints:
        """Flat position of each chain's first minimum of values (size,), which have no NaN."""
        least = np.minimum.reduceat(values, self.starts)
        return self.first(values == least[self.of])
