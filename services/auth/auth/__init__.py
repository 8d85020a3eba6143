"""Accounts, tokens and keys."""

__version__ = "0.1.0"
