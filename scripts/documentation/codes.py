"""Collect from the code each code and reason that a user can see, so that a test can demand an explanation.

The collectors read the syntax trees and the contracts. A new code in one of the known forms (an error table,
a `problem(status, code)`, a refusal of the Socket.IO gateway, a `reason=` of a condition) is found without a
change here.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scripts.documentation.links import ROOT

_CODE = re.compile(r"[a-z]+(_[a-z]+)*")
_STATUS_LINE = re.compile(r"[45][0-9]{2} [A-Z]")
_REASON = re.compile(r"[A-Z][A-Za-z]+")


def error_codes() -> dict[str, set[str]]:
    """Return the error codes of the HTTP services and the Socket.IO gateway, with the services' folders."""
    found: dict[str, set[str]] = {}
    for file in _modules("services/*/*/**/*.py"):
        service = file.relative_to(ROOT / "services").parts[0]
        for code in codes_in(file.read_text()):
            found.setdefault(code, set()).add(service)
    return found


def condition_reasons() -> set[str]:
    """Return the reasons of a feed's conditions and decisions."""
    return {
        reason
        for file in _modules("operator/deltastream_operator/**/*.py")
        for reason in reasons_in(file.read_text())
    } | {
        reason
        for file in _modules("services/feed-generator/feed_generator/live/**/*.py")
        for reason in connection_reasons_in(file.read_text())
    }


def data_reasons() -> set[str]:
    """Return the reasons that the contracts allow: of dead letters, and of numbers that are missing."""
    found: set[str] = set()
    for file in (ROOT / "services/contracts/schemas").glob("*.json"):
        found |= set(_enumerated(json.loads(file.read_text()), "reason"))
    return found


def _modules(pattern: str) -> list[Path]:
    return [file for file in sorted(ROOT.glob(pattern)) if "tests" not in file.relative_to(ROOT).parts]


def codes_in(source: str) -> Iterator[str]:
    """Yield the error codes in the source of a module."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and len(node.args) > 1 and _name(node.func).endswith("problem"):
            yield from filter(_CODE.fullmatch, _strings(node.args[1]))
        elif isinstance(node, ast.Call) and node.args and _name(node.func) in ("Refused", "_Ended"):
            yield from _strings(node.args[0])
        elif isinstance(node, ast.ClassDef):
            yield from _class_code(node)
        elif isinstance(node, ast.Tuple) and len(node.elts) == 2:
            first, second = node.elts
            if isinstance(first, ast.Constant) and isinstance(second, ast.Constant):
                yield from _pair(first.value, second.value)
        elif isinstance(node, ast.Dict):
            yield from _table(node)


def _class_code(node: ast.ClassDef) -> Iterator[str]:
    for line in node.body:
        if isinstance(line, ast.Assign) and _name(line.targets[0]) == "code":
            yield from _strings(line.value)


def _pair(first: object, second: object) -> Iterator[str]:
    """Yield the code of `(409, "email_taken")` or `("503 Service Unavailable", "server_full")`."""
    is_status = isinstance(first, int) and 400 <= first < 600
    is_line = isinstance(first, str) and _STATUS_LINE.match(first) is not None
    if (is_status or is_line) and isinstance(second, str):
        yield second


def _table(node: ast.Dict) -> Iterator[str]:
    """Yield the codes of `{404: "not_found", ...}` and of `{"status": 404, "code": "not_found"}`."""
    for key, value in zip(node.keys, node.values, strict=True):
        if isinstance(key, ast.Constant) and isinstance(value, ast.Constant):
            if key.value == "code" and isinstance(value.value, str):
                yield value.value
            yield from _pair(key.value, value.value)


def reasons_in(source: str) -> Iterator[str]:
    """Yield the reasons of conditions and decisions in the source of a module."""
    yield from filter(_REASON.fullmatch, _possible_reasons(ast.parse(source)))


def connection_reasons_in(source: str) -> Iterator[str]:
    """Yield the reasons of a live source's connection in the source of a module."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and _name(node.func) in ("Dropped", "Misconfigured", "Unauthorized"):
            yield from filter(_REASON.fullmatch, _strings(node.args[0]))
        elif isinstance(node, ast.Call) and _name(node.func) == "_change":
            yield from (text for arg in node.args for text in _strings(arg) if _REASON.fullmatch(text))
        elif isinstance(node, ast.AnnAssign) and _name(node.target) == "reason" and node.value:
            yield from _strings(node.value)


def _possible_reasons(tree: ast.Module) -> Iterator[str]:
    constants = {
        _name(node.targets[0]): node.value for node in ast.walk(tree) if isinstance(node, ast.Assign)
    }
    for node in ast.walk(tree):
        if isinstance(node, (ast.keyword, ast.Assign)) and _is_reason(node):
            yield from _strings(node.value, constants)
        elif isinstance(node, ast.Assign) and _name(node.targets[0]) in ("Reason", "Limit"):
            yield from _strings(node.value)
        elif isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In):
            known = constants.get(_name(node.comparators[0]))
            if known and "reason" in _strings(node.left):  # `waiting.get("reason") in _KNOWN`
                yield from _strings(known)
        elif isinstance(node, ast.Call) and _name(node.func) == "_trouble":
            yield from _strings(node.args[2]) if len(node.args) > 2 else ()


def _is_reason(node: ast.keyword | ast.Assign) -> bool:
    if isinstance(node, ast.keyword):
        return node.arg == "reason"
    return "reason" in map(_name, ast.walk(node.targets[0]))


def _strings(node: ast.AST, constants: dict[str, ast.expr] | None = None) -> Iterator[str]:
    """Yield the strings inside an expression, and those behind the names of `constants`."""
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value
        elif constants and isinstance(part, ast.Name) and isinstance(constants.get(part.id), ast.Constant):
            yield from _strings(constants[part.id])


def _name(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


def _enumerated(schema: Any, suffix: str) -> Iterator[str]:
    """Yield the values of every enumerated property whose name ends in `suffix`, also in arrays of it."""
    if isinstance(schema, list):
        for one in schema:
            yield from _enumerated(one, suffix)
    elif isinstance(schema, dict):
        for name, value in schema.items():
            if name == "properties":
                for field, below in value.items():
                    if field.rstrip("s").endswith(suffix):
                        yield from _enums(below)
            yield from _enumerated(value, suffix)


def _enums(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        yield from (value for value in schema.get("enum", ()) if isinstance(value, str))
        yield from (value for below in schema.values() for value in _enums(below))
    elif isinstance(schema, list):
        yield from (value for below in schema for value in _enums(below))
