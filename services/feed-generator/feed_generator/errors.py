"""What can be wrong at start; every message is one line that names the place and the rule."""

from __future__ import annotations


class FeedError(Exception):
    """Someone must change a setting or a file; starting again does not help."""


class UnknownProduct(FeedError):
    """The rulebook has no such product, or none yet at the asked date."""


class BadRulebook(FeedError):
    """The rulebook's JSON: file, product and rule."""


class BadRecording(FeedError):
    """A recording: file, line, column and rule."""

    def __init__(self, path: str, line: int, column: str, rule: str) -> None:
        super().__init__(f"{path}, line {line}, column {column}: {rule}")
        self.path, self.line, self.column, self.rule = path, line, column, rule
