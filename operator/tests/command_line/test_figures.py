"""Numbers as text."""

from __future__ import annotations

import pytest

from deltastream_cli.domain import figures


@pytest.mark.parametrize(
    ("value", "kind", "places", "text"),
    [
        (23465.587, "price", 2, "23,465.59"),
        (1.5, "strike", 1, "1.5"),
        (0.10634, "percent", 2, "10.63"),
        (0.9155, "ratio", 2, "0.9155"),
        (6106225, "count", 2, "6,106,225"),
        (0, "count", 2, "0"),
        (None, "price", 2, "-"),
        (["A", "B"], "text", 2, "A B"),
    ],
)
def test_a_number_is_shown_with_its_unit_and_decimals(
    value: object, kind: str, places: int, text: str
) -> None:
    """Percent and ratio have their own decimals; prices have the product's."""
    assert figures.text(value, kind, places) == text  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("prices", "least", "expected"),
    [
        ([1.5, 2.0], 2, 2),
        ([0.0125], 2, 4),
        ([23450.0], 0, 0),
        ([267.5, None], 0, 1),
        ([], 2, 2),
        ([1e-9], 2, 6),
    ],
)
def test_the_decimals_show_every_price_exactly(prices: list[float | None], least: int, expected: int) -> None:
    """A product's tick is not in the data, so the prices themselves say how many decimals they need."""
    assert figures.decimals(prices, least) == expected


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.25, "0.2 s"), (59.9, "59.9 s"), (185, "3 min 5 s"), (7800, "2 h 10 min"), (529200, "6 d 3 h")],
)
def test_a_duration_has_its_two_largest_units(seconds: float, text: str) -> None:
    """The rest does not matter at that length."""
    assert figures.duration(seconds) == text
