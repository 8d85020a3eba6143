"""Entry point for gunicorn: `gunicorn app:app`."""

from logging_service.bootstrap import create_app

app = create_app()
