"""The schemas are valid and documented, and every golden example is valid by its schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.support.contracts import CONTRACTS, example, schema_names, validator


def _nodes(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for child in node.values():
            yield from _nodes(child)
    elif isinstance(node, list):
        for child in node:
            yield from _nodes(child)


@pytest.mark.parametrize("name", schema_names())
def test_a_schema_is_valid_and_describes_every_property(name: str) -> None:
    """A reader learns meaning and unit of each field from the schema alone."""
    schema = validator(name).schema
    Draft202012Validator.check_schema(schema)
    assert schema["title"]
    assert schema["description"]
    for node in _nodes(schema):
        for key, field in (
            node.get("properties", {}).items() if isinstance(node.get("properties"), dict) else []
        ):
            assert "description" in field or "$ref" in field, f"{name}: {key} has no description"


@pytest.mark.parametrize("path", sorted((CONTRACTS / "examples").glob("*.json")), ids=lambda p: p.name)
def test_a_golden_example_is_valid_by_its_schema(path: Path) -> None:
    """Both sides of a message test against these examples, so they must be right."""
    validator(path.name.split(".")[0]).validate(json.loads(path.read_text()))


@pytest.mark.parametrize("name", schema_names())
def test_every_schema_has_an_example_and_refuses_an_unknown_field(name: str) -> None:
    """A schema that accepts anything would check nothing."""
    assert validator(name).is_valid(example(name))
    assert not validator(name).is_valid({**example(name), "no_such_field": 1})


def _typed(node: dict[str, Any], *names: str) -> bool:
    kind = node.get("type")
    return bool({kind} & set(names)) if isinstance(kind, str) else bool(set(kind or ()) & set(names))


@pytest.mark.parametrize("name", schema_names())
def test_every_string_and_number_of_a_schema_is_bounded(name: str) -> None:
    """An unbounded value can fill a store or overflow its reader."""
    for node in _nodes(validator(name).schema):
        if not isinstance(node.get("type", ""), (str, list)) or "enum" in node or "const" in node:
            continue
        if _typed(node, "string"):
            assert node.keys() & {"pattern", "maxLength", "format"}, node
        if _typed(node, "number", "integer"):
            assert node.keys() & {"minimum", "exclusiveMinimum"}, node
            assert node.keys() & {"maximum", "exclusiveMaximum"}, node


@pytest.mark.parametrize("name", schema_names())
def test_no_pattern_of_a_schema_matches_an_extra_character(name: str) -> None:
    """A pattern must not match a value with an extra character at either end, nor a very long one.

    In ECMAScript and Go, `$` matches only at the end; in Python it also matches before a final newline. The
    schemas therefore add a `not` that forbids newlines. The test takes its values from the golden examples.
    """
    for node in _nodes(validator(name).schema):
        pattern = node.get("pattern")
        if not isinstance(pattern, str) or node == {"type": "string", "pattern": "\\n"}:
            continue
        check = Draft202012Validator(
            {key: node[key] for key in ("pattern", "not", "maxLength") if key in node}
        )
        assert pattern.startswith("^")
        assert pattern.endswith("$")
        assert not check.is_valid("A" * 1001)
        for value in _texts(example(name)):
            if not check.is_valid(value):
                continue
            for wrong in (value + "\n", "\n" + value, value + "\0", "\0" + value, value + value * 1000):
                assert not check.is_valid(wrong), (pattern, wrong)


def _texts(node: Any) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _texts(child)
