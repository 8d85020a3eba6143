"""Build the documentation site: reference pages from code and schemas, and links that work on a forge too."""
