"""Build storage's objects from its settings and connect them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask, request
from pymongo import MongoClient
from pymongo.database import Database

from storage import __version__, errors, metrics
from storage.chassis import answers, log_setup
from storage.chassis.bearer import Verifier
from storage.chassis.health import Health
from storage.config import Settings, load
from storage.queries import Store
from storage.routes import EXTENSION, routes

SERVICE = AUDIENCE = "storage"
THREADS = 8
WSGIApp = Callable[..., Iterable[bytes]]


def connect(settings: Settings, *, select_ms: int = 1_000) -> MongoClient[dict[str, Any]]:
    """Return a client that waits at most `select_ms` for a MongoDB server.

    It connects on first use, so it can be created before gunicorn forks.
    """
    return MongoClient(
        settings.mongo_url.get_secret_value(),
        connect=False,
        tz_aware=True,
        serverSelectionTimeoutMS=select_ms,
        connectTimeoutMS=1_000,
        socketTimeoutMS=max(settings.query_timeout_ms + 1_000, select_ms),
        waitQueueTimeoutMS=1_000,
        maxPoolSize=THREADS + 1,  # one more for the readiness probe
        appname=SERVICE,
    )


def database(client: MongoClient[dict[str, Any]]) -> Database[dict[str, Any]]:
    """Return the database that the URL names, or else `deltastream`."""
    return client.get_default_database("deltastream")


def create_app(settings: Settings | None = None) -> WSGIApp:
    """Return storage as a WSGI application. Reads the environment if `settings` is None."""
    settings = settings or load()
    log_setup.configure(SERVICE, __version__, settings.log_level)
    store = Store(database(connect(settings)), query_timeout_ms=settings.query_timeout_ms)
    app = Flask(__name__, static_folder=None)
    app.extensions[EXTENSION] = store
    errors.install(app)
    _install_hooks(app, Verifier(f"{settings.auth_url}/.well-known/jwks.json", AUDIENCE))
    app.register_blueprint(routes)
    health = Health(SERVICE, {"mongo": store.ping})
    return health.middleware(log_setup.RequestContext(app.wsgi_app))


def _install_hooks(app: Flask, verifier: Verifier) -> None:
    def admit() -> None:
        verifier.claims(request.headers.get("Authorization"))

    app.before_request(admit)
    answers.install(app, metrics.REQUESTS, cache_control="private, no-cache")
