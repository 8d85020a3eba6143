"""The reference of the chart's values: meanings from values.yaml, rules from values.schema.json."""

from __future__ import annotations

import json

from scripts.documentation import schema
from scripts.documentation.markdown import cell, table
from scripts.render_values import CHART, Documented

_HEAD = """# Chart values

Set a value with `--set key=value` or in a file for `helm install --values`. Helm refuses keys that are not in
this table and values that violate a rule. [The chart](../components/chart.md) explains how to install it.
"""


def page() -> str:
    """Return the page."""
    rows = {row.path: row for row in schema.rows(json.loads((CHART / "values.schema.json").read_text()))}
    cells = []
    for row in Documented((CHART / "values.yaml").read_text()).rows():
        found = rows.get(row.key.strip("*`"))
        default = row.default.replace("[values.yaml](values.yaml)", "values.yaml")
        type_, limits = (cell(found.type), found.rules) if found and default else ("", "")
        cells.append((row.key, default, cell(row.meaning), type_, limits))
    return f"{_HEAD}\n{table(('key', 'default', 'meaning', 'type', 'rules'), cells)}"
