"""The build context of a folder: its files after the rules of `.dockerignore`, and a digest of them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path


def files(folder: Path) -> list[Path]:
    """Return the files of the build context, relative to `folder` and sorted. The last matching rule wins."""
    rules = list(_rules(folder / ".dockerignore"))
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(path for path in found if _admitted(path.as_posix(), rules))


def digest(folder: Path, *more: str) -> str:
    """Return a hash of the Dockerfile, of the name, mode and content of each context file, and of `more`."""
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
    """Translate a pattern as Docker does: `*` and `?` match within a folder, `**` matches across folders.

    A rule for a folder applies to everything in it.
    """
    text = re.escape(pattern).replace(r"\*\*/", "(.*/)?").replace(r"\*\*", ".*")
    return text.replace(r"\*", "[^/]*").replace(r"\?", "[^/]") + "(/.*)?"


def _admitted(path: str, rules: list[tuple[bool, re.Pattern[str]]]) -> bool:
    admitted = True
    for admits, expression in rules:
        if expression.fullmatch(path):
            admitted = admits
    return admitted
