"""No pattern anywhere takes a character too many: Python's `$` also matches before a last newline."""

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
SEARCHING = {"match", "search", "compile", "fullmatch", "findall", "finditer", "sub"}


def _dollars(tree: ast.AST, *, callee: str, argument: str | None) -> Iterator[str]:
    """Texts that end in an unescaped `$` and are given to `callee`: positional, or as keyword `argument`."""
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
    """`re` and msgspec take "NIFTY\\n" for `NIFTY$`: fullmatch or `\\Z` does not.

    pydantic is left out: its `pattern` is Rust's, where `$` is the end (see the test below).
    """
    tree = ast.parse(path.read_text())
    assert list(_dollars(tree, callee=" ".join(SEARCHING), argument=None)) == []
    assert list(_dollars(tree, callee="Meta", argument="pattern")) == []


def test_the_search_for_dollars_finds_one() -> None:
    """A checker that finds nothing checks nothing."""
    planted = ast.parse("import re\nre.compile('^a$').match(x)\nMeta(pattern='^b$')\nField(pattern='^c$')")
    assert list(_dollars(planted, callee="compile", argument=None)) == ["^a$"]
    assert list(_dollars(planted, callee="Meta", argument="pattern")) == ["^b$"]


@pytest.mark.parametrize("wrong", ["NIFTY\n", "\nNIFTY", "NIFTY\0", "A" * 1000])
def test_the_end_of_a_pydantic_pattern_is_the_end(wrong: str) -> None:
    """What the settings and bodies of the services rely on."""
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


@pytest.mark.parametrize(
    "file", ["charts/deltastream/values.schema.json", "charts/deltastream/crds/deltastreamfeed.yaml"]
)
def test_every_pattern_of_the_chart_is_anchored_at_both_ends(file: str) -> None:
    """Helm and the API server use Go's engine, where `$` is the end of the text: anchors are all it takes."""
    text = (ROOT / file).read_text()
    patterns = list(_patterns(json.loads(text) if file.endswith(".json") else yaml.safe_load(text)))
    assert len(patterns) > 4
    for pattern in patterns:
        assert pattern.startswith("^"), pattern
        assert pattern.endswith("$"), pattern
