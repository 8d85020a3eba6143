"""The attacks. Importing this package registers all of them in the table."""

from tests.hostile.attacks import connections, frames, halves, malformed, names

__all__ = ["connections", "frames", "halves", "malformed", "names"]
