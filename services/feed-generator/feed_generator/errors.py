"""Errors that end the start. Each message is one line that names the place and the broken rule."""

from __future__ import annotations


class FeedError(Exception):
    """A setting or a file is invalid. A restart does not help until a person changes it."""


class UnknownProduct(FeedError):
    """The rulebook has no such product, or has no rule for it on the requested date."""


class BadRulebook(FeedError):
    """The rulebook's JSON is invalid. The message names file, product and rule."""


class BadRecording(FeedError):
    """A recording is invalid. The message names file, line, column and rule."""

    def __init__(self, path: str, line: int, column: str, rule: str) -> None:
        super().__init__(f"{path}, line {line}, column {column}: {rule}")
        self.path, self.line, self.column, self.rule = path, line, column, rule
