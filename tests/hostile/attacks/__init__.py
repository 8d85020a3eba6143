"""Importing this package fills the table of attacks."""

from tests.hostile.attacks import connections, frames, halves, malformed, names

__all__ = ["connections", "frames", "halves", "malformed", "names"]
