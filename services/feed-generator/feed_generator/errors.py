"""Errors at the start. Each message is one line that names the place and the rule."""

from __future__ import annotations

from collections.abc import Mapping


class FeedError(Exception):
    """A setting or a file is wrong, so a restart does not help."""


class UnknownProduct(FeedError):
    """The rulebook does not have the product, or has no rules for it on that date."""


class BadRulebook(FeedError):
    """The rulebook is malformed. The message names file, product and rule."""


class BadRecording(FeedError):
    """A recording is malformed. The message names file, line, column and rule.

    `line` 0: the whole file; `column` "-": the whole line.
    """

    def __init__(self, path: str, line: int, column: str, rule: str) -> None:
        at_line = f", line {line}" if line else ""
        at_column = "" if column == "-" else f", column {column}"
        super().__init__(f"{path}{at_line}{at_column}: {rule}")
        self.path, self.line, self.column, self.rule = path, line, column, rule


class Unstated(BadRecording):
    """A recording leaves something open. `examples`: a value that would do, by what is missing."""

    def __init__(self, path: str, rule: str, examples: Mapping[str, str]) -> None:
        super().__init__(path, 1, "-", rule)
        self.examples = examples
