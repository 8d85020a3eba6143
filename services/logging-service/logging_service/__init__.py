"""Storage and queries of log lines."""

__version__ = "0.1.0"
