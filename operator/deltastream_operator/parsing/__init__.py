"""Strict parsers for YAML and for the feeds in it."""
