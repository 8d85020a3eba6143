"""What a build sees of a folder: the rules of `.dockerignore`, and one digest over what they let in."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path


def files(folder: Path) -> list[Path]:
    """The files of the build context, relative and sorted: the last rule that matches decides."""
    rules = list(_rules(folder / ".dockerignore"))
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in found if _admitted(path.as_posix(), rules))


def digest(folder: Path, *more: str) -> str:
    """Changes with the Dockerfile, with any file of the context (name, mode or content), and with `more`."""
    total = hashlib.sha256()
    for path in [Path("Dockerfile"), *files(folder)]:
        content = (folder / path).read_bytes()
        mode = (folder / path).stat().st_mode & 0o111
        total.update(f"{path.as_posix()}\0{mode}\0{len(content)}\0".encode() + content)
    for text in more:
        total.update(f"{text}\0".encode())
    return total.hexdigest()


def _rules(path: Path) -> Iterator[tuple[bool, re.Pattern[str]]]:
    for line in path.read_text().splitlines() if path.exists() else []:
        text = line.strip()
        if text and not text.startswith("#"):
            yield text.startswith("!"), re.compile(_expression(text.removeprefix("!").strip("/")))


def _expression(pattern: str) -> str:
    """As Docker: `*` and `?` stay in a folder, `**` crosses folders, a folder's rule holds for all in it."""
    text = re.escape(pattern).replace(r"\*\*/", "(.*/)?").replace(r"\*\*", ".*")
    return text.replace(r"\*", "[^/]*").replace(r"\?", "[^/]") + "(/.*)?"


def _admitted(path: str, rules: list[tuple[bool, re.Pattern[str]]]) -> bool:
    admitted = True
    for admits, expression in rules:
        if expression.fullmatch(path):
            admitted = admits
    return admitted
