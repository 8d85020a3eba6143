"""The schemas are valid and documented, and every golden example holds to its schema."""

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
def test_a_golden_example_holds_to_its_schema(path: Path) -> None:
    """Both sides of a message test against these examples, so they must be right."""
    validator(path.name.split(".")[0]).validate(json.loads(path.read_text()))


@pytest.mark.parametrize("name", schema_names())
def test_every_schema_has_an_example_and_refuses_an_unknown_field(name: str) -> None:
    """A schema that accepts anything would check nothing."""
    assert validator(name).is_valid(example(name))
    assert not validator(name).is_valid({**example(name), "no_such_field": 1})
