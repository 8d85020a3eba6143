"""Adapters to Redis, MongoDB and Celery."""
