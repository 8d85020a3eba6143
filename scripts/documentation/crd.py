"""The reference of the DeltaStreamFeed resource, from its CustomResourceDefinition."""

from __future__ import annotations

from typing import Any

import yaml
from scripts.documentation.links import ROOT
from scripts.documentation.markdown import cell, code, table
from scripts.documentation.schema import fields_table

_HEAD = """# DeltaStreamFeed

A feed is one `DeltaStreamFeed` (`kubectl get dsf`). A local run reads the same resource from a file.
`kubectl explain dsf.spec` shows this page's texts on a cluster.
"""


def page() -> str:
    """Return the page."""
    crd = yaml.safe_load((ROOT / "k8s/crd/deltastreamfeed.yaml").read_text())
    version = crd["spec"]["versions"][0]
    schema = version["schema"]["openAPIV3Schema"]
    columns = [
        (column["name"], code(column["jsonPath"]), cell(column["description"]))
        for column in version["additionalPrinterColumns"]
    ]
    checks = [(cell(check["message"]),) for check in _checks(schema)]
    parts = [_HEAD, cell(schema["description"])]
    for part in ("spec", "status"):
        parts += [f"\n## {part}\n", fields_table(schema["properties"][part], schema)]
    parts += ["\n## Rules over several fields\n", table(("message of the API server",), checks)]
    parts += ["\n## Columns of `kubectl get dsf`\n", table(("column", "field", "meaning"), columns)]
    return "\n".join(parts)


def _checks(schema: Any) -> list[dict[str, str]]:
    """Return the validation rules of a schema and of everything inside it."""
    if isinstance(schema, list):
        return [rule for one in schema for rule in _checks(one)]
    if not isinstance(schema, dict):
        return []
    own = list(schema.get("x-kubernetes-validations", ()))
    return own + [rule for value in schema.values() for rule in _checks(value)]
