"""Segmented reductions: several chains are concatenated in one flat array, and each is reduced separately."""

from __future__ import annotations

import numpy as np

from worker_enricher.domain.arrays import Bools, Floats, Ints


class Segments:
    """The layout of m chains in a flat array. Chain i has the positions starts[i] .. stops[i] - 1.

    `of` maps a position to its chain. `adjacent[i]` is true if positions i and i + 1 belong to one chain.
    """

    __slots__ = ("adjacent", "count", "counts", "of", "positions", "size", "starts", "stops")

    def __init__(self, counts: list[int]) -> None:
        """counts: the number of strikes of each chain, at least 1."""
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
        """Return the position of each chain's first True in flags (size,), or `size` if there is none."""
        return np.minimum.reduceat(np.where(flags, self.positions, self.size), self.starts)

    def last(self, flags: Bools) -> Ints:
        """Return the position of each chain's last True in flags (size,), or -1 if there is none."""
        return np.maximum.reduceat(np.where(flags, self.positions, -1), self.starts)

    def argmin(self, values: Floats) -> Ints:
        """Return the position of each chain's first minimum of values (size,). The values must not be NaN."""
        least = np.minimum.reduceat(values, self.starts)
        return self.first(values == least[self.of])
