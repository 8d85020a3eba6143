"""Log intake and query."""

__version__ = "0.1.0"
