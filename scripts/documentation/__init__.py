"""Build the documentation site: reference pages from code and schemas, and links that also work on a forge."""
