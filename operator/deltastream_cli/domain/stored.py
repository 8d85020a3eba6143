"""Turn stored documents, as REST answers them, back into the messages that they were computed from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deltastream_cli.domain.recording import COLUMNS, Column

_LEGS = next(column.parts for column in COLUMNS if column.name == "calls")
_RENAMED = ("calls", "puts", "truth")


def message(kind: str, document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the message of a stored tick, quote or chain. `kind` is the message's.

    Only chains are stored with their truth. A chain of a release that did not store the previous close has 0
    there, which means unknown: its build-up cannot be computed again.
    """
    found = {"kind": kind, "replay": document["replay"], **_given(document, COLUMNS, kind)}
    if kind != "option_chain":
        return found | {"truth": None}
    sides = {side: _columns(document[side]) for side in ("calls", "puts")}
    return found | sides | {"truth": document["truth"]}


def lacks_previous_close(document: Mapping[str, Any]) -> bool:
    """Return whether a release stored the chain that did not store the previous close."""
    return "previous_close" not in document["calls"][0]


def _given(document: Mapping[str, Any], columns: tuple[Column, ...], kind: str) -> dict[str, Any]:
    names = (column.name for column in columns if kind in column.kinds and column.name not in _RENAMED)
    return {name: document[name] for name in names if name in document}


def _columns(contracts: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Return the rows of one side, one for each strike, as columns."""
    rows = [_with_previous(contract) for contract in contracts]
    return {column.name: [row[column.name] for row in rows] for column in _LEGS if column.name in rows[0]}


def _with_previous(contract: dict[str, Any]) -> dict[str, Any]:
    if "previous_open_interest" in contract:
        return contract
    before = contract["open_interest"] - contract["open_interest_change"]
    return {"previous_close": 0, "previous_open_interest": before, **contract}
