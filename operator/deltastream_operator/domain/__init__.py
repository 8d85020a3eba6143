"""Feeds and the capacity that they need. Uses only the standard library and does no I/O."""
