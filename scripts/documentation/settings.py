"""The reference of the environment variables, from the settings classes of the services."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from scripts.documentation import schema
from scripts.documentation.links import ROOT
from scripts.documentation.markdown import cell, code, table

_HEAD = """# Settings

Each service reads its settings from environment variables once, at its start. If a setting is wrong, the
service prints one line for each, with variable, value and rule, and exits with code 2. A secret can also come
from a file: `NAME_FILE` names the file and takes precedence over `NAME`.

In a cluster the chart sets these variables ([values](values.md)); `extraEnv` of a component sets others. A
local run sets them itself, except those of the first section. The settings of the operator's own process are
in [On Kubernetes](../kubernetes.md#the-operators-process).
"""
SERVICES = sorted(path.parent.name for path in (ROOT / "services").glob("*/requirements.in"))


def settings_class(service: str) -> type[BaseModel]:
    """Return the class of a service's settings; the enricher's worker has all that its subscriber has."""
    config = import_module(f"{service.replace('-', '_')}.config")
    found: type[BaseModel] = getattr(config, "WorkerSettings", config.Settings)
    return found


def page() -> str:
    """Return the page."""
    parts = [_HEAD, "## Local run\n", "From the environment, or from a file `.env`.\n", _local_run()]
    for service in SERVICES:
        parts += [f"## {service}\n", _service(service)]
    return "\n".join(parts)


def _service(service: str) -> str:
    model = settings_class(service)
    secrets = import_module(f"{service.replace('-', '_')}.config")._SECRETS
    described = model.model_json_schema()
    rows = []
    for name, field in model.model_fields.items():
        value = {key: text for key, text in described["properties"][name].items() if key != "default"}
        variable = name.upper()
        files = f", {code(f'{variable}_FILE')}" if variable in secrets else ""
        limits = schema.rules(value, described)
        rows.append(
            (code(variable) + files, _default(field), _meaning(field), cell(_kind(value, described)), limits)
        )
    return table(("variable", "default", "meaning", "type", "rules"), rows)


def _kind(value: dict[str, Any], root: dict[str, Any]) -> str:
    return schema.kind(value, root).removesuffix(" or null")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default.get_secret_value() if isinstance(field.default, SecretStr) else field.default
    if isinstance(value, bool) or not isinstance(value, str):
        return code(json.dumps(value)) if value not in (None, [], {}) else "none"
    return code(value) or "none"


def _meaning(field: FieldInfo) -> str:
    return cell(field.description or "")


def _local_run() -> str:
    return table(("variable", "default", "meaning"), _dotenv())


def _dotenv() -> Iterator[tuple[str, str, str]]:
    """Yield the variables of `.env.example` with the comment above each. A block shares one comment."""
    comment: list[str] = []
    in_comment = False
    for line in (ROOT / ".env.example").read_text().splitlines():
        name, equals, value = line.removeprefix("# ").partition("=")
        if equals and name.isupper() and " " not in name:
            default = "none" if line.startswith("#") else code(value)
            yield code(name), default, cell(" ".join(comment))
            in_comment = False
        elif line.startswith("#"):
            comment = [*comment, line[2:]] if in_comment else [line[2:]]
            in_comment = True
        else:
            in_comment = False
