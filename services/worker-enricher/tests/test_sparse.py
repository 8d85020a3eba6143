"""Tests for the rate limit of log lines."""

from __future__ import annotations

from worker_enricher.sparse import Sparse


def test_one_line_per_second_and_kind_is_logged_with_the_number_of_omitted_ones() -> None:
    """The first line is due at once, further lines are counted, and kinds do not affect each other."""
    times = iter([0.0, 0.1, 0.2, 0.3, 1.0, 1.1, 5.0])
    sparse = Sparse(lambda: next(times))
    kinds = ["schema", "schema", "not_json", "schema", "schema", "schema", "schema"]
    assert [sparse.due(kind) for kind in kinds] == [0, None, 0, None, 2, None, 1]
