"""The owner of MongoDB: schema, indexes, retention, and queries over HTTP."""

__version__ = "0.1.0"
