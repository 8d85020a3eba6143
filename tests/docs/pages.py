"""The Markdown files that a reader sees, with their headings, links and commands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")
_CODE = re.compile(r"`[^`\n]*`")


def written() -> list[Path]:
    """Return README, CONTRIBUTING and the others at the top, and every page in docs/."""
    return [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]


def prose(text: str) -> str:
    """Return a text without its fenced blocks."""
    return _FENCE.sub("", text)


def anchors(text: str) -> set[str]:
    """Return the anchors of a text's headings, as a forge and the site both derive them."""
    headings = re.findall(r"^#+ (.+)$", prose(text), re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading.replace("`", "")).strip().lower().replace(" ", "-")
        for heading in headings
    }


def links(text: str) -> list[str]:
    """Return the targets of a text's links to other files."""
    return [target for target in _LINK.findall(_CODE.sub("", prose(text))) if ":" not in target]


def commands(text: str) -> Iterator[str]:
    """Yield the commands of the blocks marked `sh`, each with its here-document and without comments."""
    for indent, language, block in _FENCE.findall(text):
        if language == "sh":
            yield from _in_block(re.sub(f"^{indent}", "", block, flags=re.MULTILINE))


def shown(text: str) -> Iterator[tuple[str, str]]:
    """Yield the commands of the `sh` blocks, each with the output that the page shows for it, or "".

    The output is the next block of the section, if it is marked `text`. Several commands share such a block:
    each has one line.
    """
    blocks = list(_FENCE.finditer(text))
    for block, after in zip(blocks, [*blocks[1:], None], strict=True):
        if block[2] != "sh":
            continue
        found = list(_in_block(block[3]))
        outputs = [""] * len(found)
        if after and after[2] == "text" and "\n#" not in text[block.end() : after.start()]:
            outputs = [after[3]] if len(found) == 1 else after[3].splitlines()
        yield from zip(found, outputs, strict=True)


def _in_block(block: str) -> Iterator[str]:
    lines = iter(block.splitlines())
    for line in lines:
        command = line
        if end := re.search(r"<<'(\w+)'$", line):
            for inner in lines:
                command += f"\n{inner}"
                if inner == end[1]:
                    break
        while command.endswith(("\\", "|")):
            command += f"\n{next(lines)}"
        if command and not command.startswith("#"):
            yield command
