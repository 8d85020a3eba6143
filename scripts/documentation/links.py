"""Rewrite the links of a Markdown file of this repository for the site, so that they also work on a forge.

A link to a file that is a page of the site becomes a link to that page. A link to any other file becomes
plain text, because the site has no copy of the code.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^\s*(```|~~~)")


def rewritten(text: str, source: str, page: str, pages: Mapping[str, str]) -> str:
    """Return the text of the file `source`, shown as `page`. `pages` maps paths of files to pages."""

    def link(match: re.Match[str]) -> str:
        label, target = match.groups()
        if ":" in target or target.startswith("#"):
            return match[0]
        path, hash_, anchor = target.partition("#")
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        found = pages.get(path) or pages.get(f"{path}/README.md")
        if found:
            return f"[{label}]({posixpath.relpath(found, posixpath.dirname(page))}{hash_}{anchor})"
        return label if (ROOT / path).exists() else match[0]

    lines, fenced = [], False
    for line in text.splitlines(keepends=True):
        fenced ^= bool(_FENCE.match(line))
        lines.append(line if fenced else _LINK.sub(link, line))
    return "".join(lines)
