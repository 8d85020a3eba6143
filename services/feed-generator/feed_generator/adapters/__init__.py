"""Adapters to the systems that the generator writes to: Redis."""
