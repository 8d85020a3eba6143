"""Build the logging service's objects from its settings and connect them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import orjson
from flask import Flask, Response, request
from pymongo import MongoClient
from pymongo.database import Database

from logging_service import __version__, errors, intake, metrics, query
from logging_service.chassis import answers, log_setup
from logging_service.chassis.bearer import Verifier
from logging_service.chassis.health import Health
from logging_service.config import Settings, load
from logging_service.store import Store

SERVICE = "logging-service"
AUDIENCE = "logging"
THREADS = 8
MAX_BODY_BYTES = 256 << 10
WSGIApp = Callable[..., Iterable[bytes]]


def create_app(
    settings: Settings | None = None, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> WSGIApp:
    """Return the logging service as a WSGI application. Reads the environment if `settings` is None."""
    settings = settings or load()
    log_setup.configure(SERVICE, __version__, settings.log_level)
    store = Store(_database(settings), query_timeout_ms=settings.query_timeout_ms)
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    errors.install(app)
    _install_hooks(app, Verifier(f"{settings.auth_url}/.well-known/jwks.json", AUDIENCE))
    _install_routes(app, store, now)
    health = Health(SERVICE, {"mongo": store.ready})
    return health.middleware(log_setup.RequestContext(app.wsgi_app))


def _database(settings: Settings) -> Database[dict[str, Any]]:
    # The client connects on first use, so it can be created before gunicorn forks.
    client: MongoClient[dict[str, Any]] = MongoClient(
        settings.mongo_url.get_secret_value(),
        connect=False,
        tz_aware=True,
        serverSelectionTimeoutMS=1_000,
        connectTimeoutMS=1_000,
        socketTimeoutMS=settings.query_timeout_ms + 1_000,
        waitQueueTimeoutMS=1_000,
        maxPoolSize=THREADS + 1,  # one more for the readiness probe
        appname=SERVICE,
    )
    return client.get_default_database("deltastream")


def _install_routes(app: Flask, store: Store, now: Callable[[], datetime]) -> None:
    def add() -> Response:
        """Store one log line or a list of them."""
        if not request.is_json:
            raise errors.NotJson("the body must be JSON: Content-Type: application/json")
        received = intake.lines(request.get_data())
        at = now()
        store.add([line.document(at) for line in received])
        for line in received:
            metrics.ACCEPTED.labels(line.level).inc()
        return _json({"accepted": len(received)}, 202)

    def find() -> Response:
        """Return the newest log lines that match the query string."""
        found = store.find(query.parse(request.args))
        return _json({"count": len(found), "logs": [{**one, "_id": str(one["_id"])} for one in found]})

    app.add_url_rule("/logs", "add", add, methods=["POST"])
    app.add_url_rule("/logs", "find", find, methods=["GET"])


def _json(body: Any, status: int = 200) -> Response:
    # orjson escapes control characters, so a log line cannot imitate another one on a terminal.
    return Response(orjson.dumps(body, option=orjson.OPT_UTC_Z), status, content_type="application/json")


def _install_hooks(app: Flask, verifier: Verifier) -> None:
    def admit() -> None:
        verifier.claims(request.headers.get("Authorization"))

    app.before_request(admit)
    answers.install(app, metrics.REQUESTS, cache_control="no-store")
