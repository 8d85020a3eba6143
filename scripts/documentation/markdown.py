"""Write Markdown: tables, and text that is safe inside them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def cell(text: str) -> str:
    """Return text for a cell of a table: on one line, without HTML, and with each pipe as a character."""
    return " ".join(text.split()).replace("<", "&lt;").replace("|", "&#124;")


def code(text: str) -> str:
    """Return text as a code span for a cell of a table."""
    ticks = "``" if "`" in text else "`"
    return f"{ticks}{text}{ticks}" if text else ""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table, or an empty string if it has no rows. The cells are Markdown already."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    if not lines:
        return ""
    return "\n".join([f"| {' | '.join(head)} |", "|---" * len(head) + "|", *lines, ""])
