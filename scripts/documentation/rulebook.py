"""The reference of the rulebook: lots and expiry rules by date, each with its source."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from scripts.documentation.links import ROOT
from scripts.documentation.markdown import cell, table

FILE = ROOT / "services/feed-generator/feed_generator/domain/rulebook.json"
_HEAD = """# Rulebook

What the generators know about contracts. [feed-generator](../components/feed-generator.md#rulebook) explains
how it is used and extended. A [definition](../how-to/own-feed.md#which-products-exist) in a feed replaces a
product's entry.

A lot belongs to a contract's series. A row holds on trading days from its date on, for contracts that expire
on the named days or later. A kind of series that a row does not name keeps its lot. Quarterly contracts are
the monthly ones of March, June, September and December, and longer ones.

The last column names the [source](#sources). `unchecked` rows are from memory: check them before you rely on
them. Before its first row a product has no lot, and the start of a replay says so.
"""
_ORDINALS = {-1: "last", 1: "first", 2: "second", 3: "third", 4: "fourth"}
_DAYS = {"MON": "Monday", "TUE": "Tuesday", "WED": "Wednesday", "THU": "Thursday", "FRI": "Friday"}


def page() -> str:
    """Return the page."""
    data = json.loads(FILE.read_text())
    parts = [_HEAD]
    for name, product in data["products"].items():
        parts.append(f"## {name}\n\n{_terms(product)}\n")
        parts.append(table(("lot from", "lot", "of contracts that expire from", "source"), _lots(product)))
        parts.append(table(("expiries from", "weekly", "monthly", "source"), _expiries(product)))
    parts.append("## Sessions and holidays\n")
    parts.append(table(("exchange", "session", "holidays known", "read at"), _sessions(data["exchanges"])))
    parts.append(
        "The holidays of XNSE and XBOM in 2024 and 2025 are from memory. An expiry on a holiday is on the "
        "trading day before. Contracts that expire at the close of a short day expire at its early close.\n"
    )
    parts.append("## Sources\n\nBrokers, newspapers and exchanges that published the circulars:\n")
    rows = ([cell(name), cell(one["says"]), _link(one["read"])] for name, one in data["sources"].items())
    parts.append(table(("source", "what it says", "read at"), rows))
    return "\n".join(parts)


def _terms(product: Mapping[str, Any]) -> str:
    settled = f"settled by the {product.get('settlement', 'close')}"
    return f"{product['exchange']}, {product['exercise']}, {settled}. Counts in {product['oi_unit']}."


def _lots(product: Mapping[str, Any]) -> Iterator[Sequence[str]]:
    for row in product["lot_size"]:
        first = ", ".join(f"{kind} {day}" for kind, day in row.get("first", {}).items())
        yield row["from"], str(row["value"]), first or "all", cell(row["by"])


def _expiries(product: Mapping[str, Any]) -> Iterator[Sequence[str]]:
    for row in product["expiries"]:
        weekly = ", ".join(_DAYS[day] for day in row["weekly"]) or "none"
        if row.get("not_in_monthly_week"):
            weekly += ", not in the week of a monthly expiry"
        monthly = f"{_ORDINALS[row['monthly']['nth']]} {_DAYS[row['monthly']['weekday']]}"
        yield row["from"], weekly, monthly, cell(row["by"])


def _sessions(exchanges: Mapping[str, Any]) -> Iterator[Sequence[str]]:
    for name, one in exchanges.items():
        hours = f"{one['open']} to {one['close']} {one['timezone']}"
        known = f"{one['holidays'][0][:4]} to {one['holidays_known_until'][:4]}"
        yield name, hours, known, ", ".join(map(_link, one["calendar"]))


def _link(address: str) -> str:
    return f"[{address.split('/')[2].removeprefix('www.')}]({address})"
