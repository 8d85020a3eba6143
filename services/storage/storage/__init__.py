"""Defines MongoDB's schema, indexes and retention, and answers queries over HTTP."""

__version__ = "0.1.0"
