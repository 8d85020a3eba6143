"""Entry point for gunicorn: `gunicorn app:app`."""

from analytics.bootstrap import create_app

app = create_app()
