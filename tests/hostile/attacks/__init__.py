"""The attacks. Importing this package registers all of them in the table."""

from tests.hostile.attacks import broken_frames, connections, frames, halves, malformed, names, sessions

__all__ = ["broken_frames", "connections", "frames", "halves", "malformed", "names", "sessions"]
