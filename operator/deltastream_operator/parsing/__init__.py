"""Text from outside, read strictly: YAML, and the feeds in it."""
