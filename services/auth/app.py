"""Entry point for gunicorn: `gunicorn app:app`."""

from auth.bootstrap import create_app

app = create_app()
