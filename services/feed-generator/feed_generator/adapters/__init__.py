"""Adapters to the outside: Redis."""
