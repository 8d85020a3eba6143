"""Entry point for gunicorn: `gunicorn app:app`."""

from api_gateway.bootstrap import create_app

app = create_app()
