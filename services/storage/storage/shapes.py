"""Convert stored documents to responses: columns to rows, dates to RFC 3339."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson


def rfc3339(moment: datetime) -> str:
    """Format a time like the enriched messages: 2024-06-21T09:59:59.000Z (UTC, milliseconds)."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _default(value: object) -> str:
    if isinstance(value, datetime):
        return rfc3339(value)
    raise TypeError(type(value).__name__)


def json_bytes(answer: object) -> bytes:
    """Return the response as JSON."""
    return orjson.dumps(answer, _default, orjson.OPT_PASSTHROUGH_DATETIME)


def contract_symbol(product: str, expiry: str, right: str, strike: float) -> str:
    """Return the symbol of a contract: NIFTY, 2024-06-27, C, 23500.0 -> NIFTY20240627C23500."""
    return f"{product}{expiry.replace('-', '')}{right}{repr(float(strike)).removesuffix('.0')}"


def chain_rows(document: Mapping[str, Any]) -> int:
    """Return the number of rows of a chain's response: two per strike."""
    return 2 * len(document["strikes"])


def columns_answer(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the chain as stored.

    Raises ValueError or KeyError if its columns differ in length or are missing.
    """
    size = len(document["strikes"])
    for side in ("calls", "puts"):
        for name, column in document[side].items():
            if len(column) != size:
                raise ValueError(f"{side}.{name} has {len(column)} entries for {size} strikes")
    return document


def rows_answer(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the chain with `calls` and `puts` as rows.

    Raises ValueError or KeyError if its columns differ in length or are missing.
    """
    return {
        **document,
        "calls": _rows(document, "CALL", document["calls"]),
        "puts": _rows(document, "PUT", document["puts"]),
    }


def _rows(
    chain: Mapping[str, Any], option_type: str, columns: Mapping[str, list[Any]]
) -> list[dict[str, Any]]:
    symbols = [
        contract_symbol(chain["product"], chain["expiry"], option_type[0], strike)
        for strike in chain["strikes"]
    ]
    names = ("strike", "symbol", "option_type", *columns)
    entries = zip(chain["strikes"], symbols, [option_type] * len(symbols), *columns.values(), strict=True)
    return [dict(zip(names, entry, strict=True)) for entry in entries]
