"""The reference of the REST API, from the OpenAPI document that the gateway serves."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from scripts.documentation.markdown import cell, code, table
from scripts.documentation.schema import fields_table, kind, resolved, rules
from werkzeug.test import Client

from api_gateway.bootstrap import create_app
from api_gateway.config import Settings

_HEAD = """# REST API

The gateway generates its OpenAPI document from its routes: `/api/openapi.json`, and `/api/docs` in a browser.
This page shows the same document. Every error is `application/problem+json` with a stable `code`;
[Troubleshooting](../troubleshooting.md#a-rest-call-is-refused) explains each code.
"""


def document() -> dict[str, Any]:
    """Return the OpenAPI document of a gateway with its default settings."""
    settings = Settings.model_validate({"service_client_secret": "unused", "log_level": "ERROR"})
    found: dict[str, Any] = json.loads(Client(create_app(settings)).get("/api/openapi.json").data)
    return found


def page() -> str:
    """Return the page."""
    return "\n".join([_HEAD, *_operations(document())])


def _operations(root: dict[str, Any]) -> Iterator[str]:
    by_tag: dict[str, list[str]] = {}
    for path, methods in root["paths"].items():
        for method, operation in methods.items():
            tag = (operation.get("tags") or ["Other"])[0]
            by_tag.setdefault(tag, []).append(_operation(method.upper(), path, operation, root))
    for tag, operations in by_tag.items():
        yield f"## {tag}\n"
        yield from operations


def _operation(method: str, path: str, operation: dict[str, Any], root: dict[str, Any]) -> str:
    parts = [f"### {method} {path}\n", operation.get("summary", ""), operation.get("description", "")]
    parts.append("Needs a token." if operation.get("security") else "Needs no token.")
    parameters = [resolved(one, root) for one in operation.get("parameters", ())]
    parts.append(table(("parameter", "in", "meaning", "type", "rules"), map(_parameter(root), parameters)))
    if body := operation.get("requestBody"):
        parts += ["Body:", fields_table(body["content"]["application/json"]["schema"], root)]
    answers = {status: resolved(answer, root) for status, answer in operation["responses"].items()}
    for status, answer in answers.items():
        if status.startswith("2"):
            parts += [f"**{status}** {cell(answer.get('description', ''))}", _answer_fields(answer, root)]
    errors = [status for status in answers if not status.startswith("2")]
    parts.append(f"Errors: {', '.join(sorted(errors))}." if errors else "")
    return "\n\n".join(part for part in parts if part)


def _parameter(root: dict[str, Any]) -> Any:
    def row(one: dict[str, Any]) -> tuple[str, ...]:
        value = one["schema"]
        limits = rules(value, root, required=bool(one.get("required")))
        meaning = one.get("description") or resolved(value, root).get("description", "")
        return code(one["name"]), one["in"], cell(meaning), cell(kind(value, root)), limits

    return row


def _answer_fields(answer: Mapping[str, Any], root: dict[str, Any]) -> str:
    content = answer.get("content", {}).get("application/json")
    return fields_table(content["schema"], root) if content else ""
