"""The entry: `gunicorn app:app`."""

from storage.bootstrap import create_app

app = create_app()
