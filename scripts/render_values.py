"""Write the table of values in charts/deltastream/README.md from values.yaml and its comments: `make base`.

The meaning of a key is the comment directly above it. A key that several components share is explained at its
first component. `enabled` has a default meaning. Any other key without a comment is an error.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import yaml

CHART = Path(__file__).resolve().parents[1] / "charts" / "deltastream"
BEGIN = (
    "<!-- scripts/render_values.py generates this table from values.yaml (make base): do not edit it. -->\n"
)
END = "<!-- End of the generated table. -->\n"
# Only the blocks of components have this key. Components may share the explanations of their keys.
COMPONENT = "podAnnotations"
LONGEST_DEFAULT = 170


class Row(NamedTuple):
    """A row of the table."""

    key: str
    default: str
    meaning: str


class Documented:
    """The keys of values.yaml in file order, each with its default as written there and its meaning."""

    def __init__(self, text: str) -> None:
        self._text, self._lines = text, text.splitlines()
        self._explained: dict[str, str] = {}  # meanings of the keys that components share

    def rows(self) -> Iterator[Row]:
        """Yield a row for each value or small object. Raises SystemExit if a key has no comment."""
        for key, value in self._children(yaml.compose(self._text)):
            meaning = self._comment(key)
            if not meaning:
                sys.exit(f"values.yaml: {key.value} has no comment above it")
            whole = not self._is_block(value)
            yield Row(
                f"`{key.value}`" if whole else f"**`{key.value}`**", self._default(value, whole), meaning
            )
            if not whole:
                shared = COMPONENT in {name.value for name, _ in self._children(value)}
                yield from self._below(key.value, value, shared)

    def _below(self, path: str, block: yaml.Node, shared: bool) -> Iterator[Row]:
        for key, value in self._children(block):
            name, meaning = f"{path}.{key.value}", self._comment(key)
            if shared:
                meaning = meaning or self._explained.get(key.value, "")
                self._explained.setdefault(key.value, meaning)
            if key.value == "enabled":
                meaning = meaning or f"Whether `{path}` is enabled."
            if self._is_block(value) and not (meaning and self._has_no_comments(value)):
                yield from self._below(name, value, shared)
            elif meaning:
                yield Row(f"`{name}`", self._default(value, True), meaning)
            else:
                sys.exit(f"values.yaml: {name} has no comment above it")

    def _children(self, node: yaml.Node | None) -> list[tuple[yaml.Node, yaml.Node]]:
        return node.value if isinstance(node, yaml.MappingNode) else []

    def _is_block(self, node: yaml.Node) -> bool:
        return isinstance(node, yaml.MappingNode) and not node.flow_style

    def _has_no_comments(self, node: yaml.Node) -> bool:
        return all(not self._comment(k) and self._has_no_comments(v) for k, v in self._children(node))

    def _comment(self, key: yaml.Node) -> str:
        """Return the comment directly above a key, joined to one line."""
        found: list[str] = []
        number, start = key.start_mark.line, " " * key.start_mark.column + "# "
        while number > 0 and self._lines[number - 1].startswith(start):
            number -= 1
            found.insert(0, self._lines[number].strip().removeprefix("# "))
        return " ".join(found)

    def _default(self, node: yaml.Node, whole: bool) -> str:
        if not whole:
            return ""
        shown = self._source(node)
        return f"`{shown}`" if len(shown) <= LONGEST_DEFAULT else "see [values.yaml](values.yaml)"

    def _source(self, node: yaml.Node) -> str:
        if self._is_block(node):
            inner = (f"{key.value}: {self._source(value)}" for key, value in self._children(node))
            return f"{{{', '.join(inner)}}}"
        return self._text[node.start_mark.index : node.end_mark.index]


def table(values: str) -> str:
    """Return the table of these values in Markdown."""
    cells = ([cell.replace("|", "\\|") for cell in row] for row in Documented(values).rows())
    lines = (f"| {' | '.join(row)} |" for row in cells)
    return "\n".join(["| key | default | meaning |", "|---|---|---|", *lines]) + "\n"


def rendered(readme: str, values: str) -> str:
    """Return the README with its table replaced by the table of these values."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table(values)}\n{END}{after}"


if __name__ == "__main__":
    path = CHART / "README.md"
    path.write_text(rendered(path.read_text(), (CHART / "values.yaml").read_text()))
