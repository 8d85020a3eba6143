"""The reference of the Prometheus metrics, from the places in the code that create them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from scripts.documentation.links import ROOT
from scripts.documentation.markdown import cell, code, table
from scripts.documentation.settings import SERVICES

_KINDS = ("Counter", "Gauge", "Histogram", "Summary")
_HEAD = """# Metrics

Every process serves its metrics at `/metrics`. `metrics.enabled` in the chart lets the Prometheus operator
scrape them, [alerts](../alerts.md) use them, and the dashboards show them. A histogram also has `_bucket`,
`_sum` and `_count`.
"""


def page() -> str:
    """Return the page."""
    parts = [_HEAD]
    folders = {**{name: ROOT / "services" / name for name in SERVICES}, "operator": ROOT / "operator"}
    for name, folder in sorted(folders.items()):
        found = sorted(set(_metrics(folder)))
        if found:
            parts += [f"## {name}\n", table(("metric", "type", "labels", "meaning"), found)]
    return "\n".join(parts)


def _metrics(folder: Path) -> Iterator[tuple[str, str, str, str]]:
    for file in sorted(folder.glob("*/**/*.py")):
        if "tests" in file.relative_to(folder).parts:
            continue
        tree = ast.parse(file.read_text())
        lists = dict(_lists(tree))
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            # A collections.Counter has at most one argument.
            if isinstance(call.func, ast.Name) and call.func.id in _KINDS and len(call.args) > 1:
                yield _row(call.func.id, call, lists)


def _row(kind: str, call: ast.Call, lists: dict[str, ast.List]) -> tuple[str, str, str, str]:
    name, meaning = (ast.literal_eval(argument) for argument in call.args[:2])
    labels: list[str] = []
    if len(call.args) > 2:
        given = call.args[2]
        labels = ast.literal_eval(lists[given.id] if isinstance(given, ast.Name) else given)
    if kind == "Counter":
        name = f"{name.removesuffix('_total')}_total"
    return code(name), kind.lower(), ", ".join(map(code, labels)), cell(meaning)


def _lists(tree: ast.AST) -> Iterator[tuple[str, ast.List]]:
    """Yield the names that are assigned a list anywhere in a module, with their lists."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assign):
            continue
        target, value = node.targets[0], node.value
        pairs = [(target, value)]
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            pairs = list(zip(target.elts, value.elts, strict=True))
        for name, literal in pairs:
            if isinstance(name, ast.Name) and isinstance(literal, ast.List):
                yield name.id, literal
