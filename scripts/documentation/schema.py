"""Flatten a JSON Schema to one row for each field, for the tables of the reference."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from scripts.documentation.markdown import cell, code, table

Schema = Mapping[str, Any]
_RULES = {
    "minimum": "≥ {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "exclusiveMaximum": "< {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "format": "{}",
}


class Row(NamedTuple):
    """A field: its path (`a.b`, `a[]` for items, `a.*` for any key), type, rules and description."""

    path: str
    type: str
    rules: str
    meaning: str


def rows(schema: Schema, root: Schema | None = None) -> Iterator[Row]:
    """Yield the fields of an object in the schema's order. `root` resolves its references."""
    yield from _fields(resolved(schema, root or schema), root or schema, "", ())


def resolved(schema: Schema, root: Schema) -> Schema:
    """Return the schema behind a local `$ref`, with the members that stand beside the reference.

    A reference to another contract is not followed; its description names that contract.
    """
    while "$ref" in schema:
        other, _, _ = str(schema["$ref"]).partition("#")
        if other:
            name = other.removesuffix(".schema.json")
            return {"type": "object", "description": f"An object that the contract {name} describes."}
        found: Any = root
        for part in str(schema["$ref"]).removeprefix("#/").split("/"):
            found = found[part]
        schema = {**found, **{key: value for key, value in schema.items() if key != "$ref"}}
    return schema


def fields_table(schema: Schema, root: Schema | None = None) -> str:
    """Return the fields of an object as a table."""
    cells = ((code(row.path), cell(row.meaning), cell(row.type), row.rules) for row in rows(schema, root))
    return table(("field", "meaning", "type", "rules"), cells)


def kind(schema: Schema, root: Schema) -> str:
    """Return the type of a value in words."""
    schema = resolved(schema, root)
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return ", ".join("null" if value is None else str(value) or '""' for value in schema["enum"])
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(dict.fromkeys(kind(choice, root) for choice in choices))
    names = schema.get("type", "object" if "properties" in schema else "any")
    names = [names] if isinstance(names, str) else names
    items = schema.get("items")
    return " or ".join(
        f"array of {kind(items, root)}" if name == "array" and items else name for name in names
    )


def rules(schema: Schema, root: Schema, *, required: bool = False) -> str:
    """Return the limits and the default of a value as Markdown."""
    schema = resolved(schema, root)
    found = ["required"] if required else []
    choices = [resolved(choice, root) for choice in schema.get("anyOf", ())]
    for part in (schema, *(choice for choice in choices if choice.get("type") != "null")):
        found += [text.format(part[name]) for name, text in _RULES.items() if name in part]
        if "pattern" in part:
            found.append(code(part["pattern"]))
    if schema.get("default") is not None:
        found.append(f"default {code(json.dumps(schema['default']))}")
    return ", ".join(dict.fromkeys(found))


def _fields(schema: Schema, root: Schema, prefix: str, above: tuple[int, ...]) -> Iterator[Row]:
    required = schema.get("required", ())
    for name, value in schema.get("properties", {}).items():
        path = f"{prefix}{name}"
        shown = resolved(value, root)
        meaning = str(shown.get("description", ""))
        yield Row(path, kind(value, root), rules(value, root, required=name in required), meaning)
        yield from _inside(shown, root, path, above)


def _inside(schema: Schema, root: Schema, path: str, above: tuple[int, ...]) -> Iterator[Row]:
    """Yield the fields of objects inside a value, but not of a schema inside itself."""
    for choice in (schema, *schema.get("anyOf", ()), *schema.get("oneOf", ())):
        one = resolved(choice, root)
        if id(one.get("properties")) in above:
            continue
        inner = (*above, id(one["properties"])) if "properties" in one else above
        if "properties" in one:
            yield from _fields(one, root, f"{path}.", inner)
        for member, mark in (("items", "[]"), ("additionalProperties", ".*")):
            if isinstance(one.get(member), dict):
                below = resolved(one[member], root)
                if "description" in below:
                    yield Row(f"{path}{mark}", kind(below, root), rules(below, root), below["description"])
                yield from _inside(below, root, f"{path}{mark}", inner)
