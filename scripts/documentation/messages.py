"""The reference of messages, cached values, documents and tokens, from the contracts' schemas."""

from __future__ import annotations

import json

from scripts.documentation.links import ROOT
from scripts.documentation.markdown import cell
from scripts.documentation.schema import fields_table

_HEAD = """# Messages

These are the contracts between the services, as `services/contracts/schemas` defines them in JSON Schema.
[Contracts](../components/contracts.md) explains the rules that all of them share. `[]` marks the items of a
list, and `.*` the values of a map.
"""


def page() -> str:
    """Return the page."""
    parts = [_HEAD]
    for file in sorted((ROOT / "services/contracts/schemas").glob("*.schema.json")):
        schema = json.loads(file.read_text())
        name = file.name.removesuffix(".schema.json")
        title = schema.get("title", name)
        parts.append(f"## {name}\n\n**{cell(title)}.** {cell(schema.get('description', ''))}\n")
        same = str(schema.get("$ref", "")).removesuffix(".schema.json")
        parts.append(f"The fields are those of [{same}](#{same}).\n" if same else fields_table(schema))
    return "\n".join(parts)
