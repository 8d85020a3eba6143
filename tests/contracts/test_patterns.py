"""Patterns of names match no extra character, and each kind of name has one pattern in the whole product."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import pytest
import yaml
from pydantic import Field, TypeAdapter, ValidationError

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    path
    for folder in ("services", "operator", "devcluster", "scripts")
    for path in (ROOT / folder).rglob("*.py")
    if "tests" not in path.parts
)
SCHEMAS = sorted((ROOT / "services/contracts/schemas").glob("*.schema.json"))
SEARCHING = {"match", "search", "compile", "fullmatch", "findall", "finditer", "sub"}


def _dollars(tree: ast.AST, *, callee: str, argument: str | None) -> Iterator[str]:
    """Strings ending in an unescaped `$` that `callee` gets, by position or as the keyword `argument`."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name not in callee.split():
            continue
        given = node.args if argument is None else [k.value for k in node.keywords if k.arg == argument]
        for value in given:
            text = value.value if isinstance(value, ast.Constant) else None
            if isinstance(text, str) and re.search(r"(?<!\\)\$\Z", text):
                yield text


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_pattern_that_python_searches_ends_in_a_dollar(path: Path) -> None:
    """With `NIFTY$`, `re` and msgspec also accept "NIFTY\\n"; with fullmatch or `\\Z` they do not.

    pydantic is left out: it uses Rust's engine, where `$` matches only at the end (see the test below).
    """
    tree = ast.parse(path.read_text())
    assert list(_dollars(tree, callee=" ".join(SEARCHING), argument=None)) == []
    assert list(_dollars(tree, callee="Meta", argument="pattern")) == []


def test_the_search_for_dollars_finds_one() -> None:
    """Proves that the search can find a violation."""
    planted = ast.parse("import re\nre.compile('^a$').match(x)\nMeta(pattern='^b$')\nField(pattern='^c$')")
    assert list(_dollars(planted, callee="compile", argument=None)) == ["^a$"]
    assert list(_dollars(planted, callee="Meta", argument="pattern")) == ["^b$"]


@pytest.mark.parametrize("wrong", ["NIFTY\n", "\nNIFTY", "NIFTY\0", "A" * 1000])
def test_a_dollar_in_a_pydantic_pattern_matches_only_at_the_end(wrong: str) -> None:
    """The services' settings and request bodies rely on this."""
    with pytest.raises(ValidationError):
        TypeAdapter(Annotated[str, Field(pattern="^[A-Z]{1,20}$")]).validate_python(wrong)


def _patterns(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("pattern"), str):
            yield node["pattern"]
        for child in node.values():
            yield from _patterns(child)
    elif isinstance(node, list):
        for child in node:
            yield from _patterns(child)


def _of_names(text: str) -> Iterator[str]:
    """The patterns in a module's strings that start like a product's pattern, without their anchors."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            pattern = re.sub(r"^\^|(\$|\\Z)$", "", node.value)
            if re.match(r"\(?\[A-Z0-9", pattern):
                yield pattern


def _wanted() -> set[str]:
    """The contract's patterns of a product and of a symbol, without their anchors."""
    schema = json.loads((ROOT / "services/contracts/schemas/market-option_quote.schema.json").read_text())
    return {schema["properties"][name]["pattern"][1:-1] for name in ("product", "symbol")}


def test_products_and_symbols_have_one_pattern_in_contract_gateway_and_services() -> None:
    """Every service accepts the names that another one stores."""
    wanted = _wanted()
    found = {str(path.relative_to(ROOT)): set(_of_names(path.read_text())) for path in SOURCES}
    assert {path: patterns - wanted for path, patterns in found.items() if patterns - wanted} == {}
    both = [path for path, patterns in found.items() if patterns == wanted]
    assert both == [
        "services/api-gateway/api_gateway/chassis/market_messages.py",
        "services/api-gateway/api_gateway/models.py",
        "services/chassis/chassis/market_messages.py",
        "services/storage/storage/params.py",
        "services/worker-enricher/worker_enricher/chassis/market_messages.py",
    ]


def test_the_search_for_name_patterns_finds_a_different_one() -> None:
    """The search ignores anchors and notices other bounds."""
    module = 'A = "^[A-Z0-9&-]{1,20}$"\nB = r"[A-Z0-9&-]{1,9}\\Z"\nC = "`symbol` must match ^[A-Z]$"'
    assert list(_of_names(module)) == ["[A-Z0-9&-]{1,20}", "[A-Z0-9&-]{1,9}"]


@pytest.mark.parametrize("file", SCHEMAS, ids=lambda path: path.name)
def test_every_contract_has_the_same_patterns_of_products_and_symbols(file: Path) -> None:
    """A market message, the enriched message and the document must accept the same names."""
    patterns = set(_patterns(json.loads(file.read_text())))
    of_names = {pattern for pattern in patterns if pattern.startswith("^[A-Z0-9")}
    assert of_names <= {f"^{pattern}$" for pattern in _wanted()}


@pytest.mark.parametrize(
    "file", ["charts/deltastream/values.schema.json", "charts/deltastream/crds/deltastreamfeed.yaml"]
)
def test_every_pattern_of_the_chart_is_anchored_at_both_ends(file: str) -> None:
    """Helm and the API server use Go's engine, where `$` matches only at the end, so anchors are enough."""
    text = (ROOT / file).read_text()
    patterns = list(_patterns(json.loads(text) if file.endswith(".json") else yaml.safe_load(text)))
    assert len(patterns) > 4
    for pattern in patterns:
        assert pattern.startswith("^"), pattern
        assert pattern.endswith("$"), pattern
