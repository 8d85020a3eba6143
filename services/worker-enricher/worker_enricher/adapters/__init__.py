"""The edges: Redis, MongoDB and Celery."""
