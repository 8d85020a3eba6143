"""Read the schemas and examples of services/contracts in tests."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from bson import ObjectId
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

CONTRACTS = Path(__file__).parents[2] / "services" / "contracts"


def schema_names() -> list[str]:
    """Return the names of all contracts, for example "market-option_chain"."""
    return sorted(path.name.removesuffix(".schema.json") for path in (CONTRACTS / "schemas").iterdir())


@cache
def _registry() -> Registry[Any]:
    schemas = (json.loads(path.read_text()) for path in (CONTRACTS / "schemas").iterdir())
    return Registry().with_resources((schema["$id"], Resource.from_contents(schema)) for schema in schemas)


@cache
def validator(name: str) -> Draft202012Validator:
    """Return the validator of one contract. Its `validate(instance)` raises an error that names the field."""
    schema = json.loads((CONTRACTS / "schemas" / f"{name}.schema.json").read_text())
    return Draft202012Validator(
        schema, registry=_registry(), format_checker=Draft202012Validator.FORMAT_CHECKER
    )


def example(name: str, number: int = 1) -> dict[str, Any]:
    """Return a new copy of an example of a contract. Most contracts have one example, some have two."""
    suffix = "" if number == 1 else f".{number}"
    loaded: dict[str, Any] = json.loads((CONTRACTS / "examples" / f"{name}{suffix}.json").read_text())
    return loaded


def shown(document: dict[str, Any]) -> dict[str, Any]:
    """Convert a MongoDB document to the form of its contract: ids in hex, times in RFC 3339."""

    def show(value: Any) -> Any:
        if isinstance(value, datetime):
            return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
        if isinstance(value, ObjectId):
            return str(value)
        return value.hex() if isinstance(value, bytes) else value

    return {name: show(value) for name, value in document.items()}


def sent(kind: str) -> dict[str, Any]:
    """Return the example of a market message without the members that each producer writes anew."""
    message = example(f"market-{kind}")
    return {name: value for name, value in message.items() if name not in ("sent_ts", "replay")}
