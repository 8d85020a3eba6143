"""The product and its tooling work without the tests: nothing outside a `tests` folder imports `tests`."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    path.relative_to(ROOT)
    for folder in ("services", "operator", "devcluster", "scripts", "examples")
    for path in (ROOT / folder).rglob("*.py")
    if "tests" not in path.parts
)


def _imported(source: str) -> Iterator[str]:
    """Every module that the source imports, at module level or inside functions."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def _of_tests(source: str) -> list[str]:
    return [name for name in _imported(source) if name.partition(".")[0] == "tests"]


def test_nothing_outside_tests_imports_tests() -> None:
    """Rule: an installation, `make up`, `make bench` and every script run without the tests."""
    assert {Path("scripts/bench.py"), Path("devcluster/__main__.py")} <= set(SOURCES)
    found = {str(path): names for path in SOURCES if (names := _of_tests((ROOT / path).read_text()))}
    assert found == {}


def test_the_makefile_runs_no_module_of_the_tests() -> None:
    """Rule: the tests are run by pytest alone."""
    assert "-m tests" not in (ROOT / "Makefile").read_text()


@pytest.mark.parametrize(
    "source",
    ["import tests.support.tools", "from tests import support", "def late():\n    from tests.x import y"],
)
def test_an_import_of_tests_is_found_in_any_form(source: str) -> None:
    """Rule: the check above rejects imports of the tests in every form."""
    assert _of_tests(source)
    assert not _of_tests(source.replace("tests", "testsuite"))
