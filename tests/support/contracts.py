"""Reading services/contracts from tests."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

CONTRACTS = Path(__file__).parents[2] / "services" / "contracts"


def schema_names() -> list[str]:
    """Names of all contracts, e.g. "market-option_chain"."""
    return sorted(path.name.removesuffix(".schema.json") for path in (CONTRACTS / "schemas").iterdir())


@cache
def _registry() -> Registry[Any]:
    schemas = (json.loads(path.read_text()) for path in (CONTRACTS / "schemas").iterdir())
    return Registry().with_resources((schema["$id"], Resource.from_contents(schema)) for schema in schemas)


@cache
def validator(name: str) -> Draft202012Validator:
    """The validator of one contract; `validate(instance)` raises with the field that breaks it."""
    schema = json.loads((CONTRACTS / "schemas" / f"{name}.schema.json").read_text())
    return Draft202012Validator(
        schema, registry=_registry(), format_checker=Draft202012Validator.FORMAT_CHECKER
    )


def example(name: str, number: int = 1) -> dict[str, Any]:
    """A fresh copy of a golden example; most contracts have one, some two."""
    suffix = "" if number == 1 else f".{number}"
    loaded: dict[str, Any] = json.loads((CONTRACTS / "examples" / f"{name}{suffix}.json").read_text())
    return loaded
