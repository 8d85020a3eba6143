"""The kinds of data that an export writes: their columns, and the rows of an answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_EVENT = (("timestamp", "time"), ("ts", "int"), ("mid", "text"), ("feed", "text"), ("product", "text"))
_QUOTED = (
    ("bid", "number"),
    ("ask", "number"),
    ("last", "number"),
    ("bid_size", "number"),
    ("ask_size", "number"),
    ("volume", "number"),
    ("open_interest", "number"),
)
_COMPUTED = tuple(
    (name, "text" if name == "iv_reason" else "number")
    for name in ("iv_bid", "iv", "iv_ask", "iv_reason", "delta", "gamma", "vega", "theta", "rho")
)
_CONTRACT = (
    ("symbol", "text"),
    ("expiry", "text"),
    ("strike", "number"),
    ("option_type", "text"),
    ("spot_price", "number"),
    ("years_to_expiry", "number"),
    ("forward", "number"),
    ("discount", "number"),
)


@dataclass(frozen=True)
class Kind:
    """One kind of data. `columns` are names and types: text, int, number or time."""

    path: str
    member: str
    page: int
    columns: tuple[tuple[str, str], ...]

    def rows(self, answer: Mapping[str, Any]) -> Iterator[Sequence[Any]]:
        """Yield the rows of an answer, in its order: a chain is one row for each contract."""
        names = [name for name, _ in self.columns]
        for document in answer[self.member]:
            if self.member == "chains":
                for contract in (*document["calls"], *document["puts"]):
                    merged = document | contract
                    yield [merged[name] for name in names]
            else:
                yield [document[name] for name in names]


_RATIOS = tuple(
    (name, "number") for name in ("pcr_oi", "pcr_volume", "atm_strike", "atm_iv", "max_pain_strike")
)
_CHAIN = (("open_interest_change", "number"), ("buildup", "text"), ("forward_reason", "text"), *_RATIOS)
_OHLC = tuple((name, "number") for name in ("open", "high", "low", "close"))
KINDS = {
    "ticks": Kind("/api/data/underlying/{}", "ticks", 1000, (*_EVENT, ("price", "number"))),
    "quotes": Kind("/api/data/quote/{}", "quotes", 1000, (*_EVENT, *_CONTRACT, *_QUOTED, *_COMPUTED)),
    "chains": Kind("/api/data/chain/{}", "chains", 10, (*_EVENT, *_CONTRACT, *_QUOTED, *_COMPUTED, *_CHAIN)),
    "bars": Kind(
        "/api/data/bars/{}",
        "bars",
        1000,
        (("start", "time"), ("product", "text"), ("window_minutes", "int"), *_OHLC),
    ),
}
