"""Entry point for gunicorn: `gunicorn app:app`."""

from storage.bootstrap import create_app

app = create_app()
