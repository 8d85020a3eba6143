"""Build auth's objects from its settings and connect them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from argon2 import PasswordHasher
from flask import Flask, request
from pymongo import MongoClient, WriteConcern
from werkzeug.middleware.proxy_fix import ProxyFix

from auth import __version__, clients, errors, metrics
from auth.accounts import Accounts
from auth.chassis import answers, log_setup
from auth.chassis.health import Health
from auth.config import Settings, load
from auth.devices import Devices
from auth.forwarded import forwarded
from auth.keys import KeyRing, derive
from auth.limits import Limits
from auth.passwords import Passwords, owasp_hasher, return_freed_memory
from auth.routes import Routes
from auth.sessions import Sessions

SERVICE = "auth"
THREADS = 8
FREE_THREADS = 3  # never wait for password hashing, so that tokens, keys and readiness stay available
MAX_BODY_BYTES = 16 << 10
WSGIApp = Callable[..., Iterable[bytes]]


def create_app(
    settings: Settings | None = None,
    *,
    clock: Callable[[], float] = time.time,
    hasher: PasswordHasher | None = None,
) -> WSGIApp:
    """Return auth as a WSGI application.

    Reads the environment if `settings` is None. `clock` returns seconds since the Unix epoch.
    """
    settings = settings or load()
    log_setup.configure(SERVICE, __version__, settings.log_level)
    return_freed_memory()

    def now() -> datetime:
        return datetime.fromtimestamp(clock(), UTC)

    secret, previous = settings.jwt_secret.get_secret_value(), settings.jwt_previous_secret
    # With majority writes a confirmed registration or token rotation survives a failover.
    database = _client(settings).get_default_database("deltastream", write_concern=WriteConcern(w="majority"))
    passwords = Passwords(
        hasher or owasp_hasher(),
        at_once=settings.hash_concurrency,
        waiting=max(0, THREADS - FREE_THREADS - settings.hash_concurrency),
        wait_s=settings.hash_wait_ms / 1000,
    )
    accounts = Accounts(
        database["users"],
        passwords,
        min_length=settings.password_min_length,
        first_is_operator=settings.first_account_is_operator,
        ingest=settings.ingest_accounts,
        now=now,
    )
    lifetime = timedelta(days=settings.refresh_token_days)
    sessions = Sessions(database["refresh_tokens"], lifetime=lifetime, now=now)
    keys = KeyRing(
        secret,
        previous.get_secret_value() if previous else None,
        lifetime_s=settings.access_token_seconds,
        clock=clock,
    )
    service_clients = clients.Clients(settings.service_clients)

    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    errors.install(app)
    _install_hooks(app)
    salt = derive(secret, b"names of limits, v1")
    devices = Devices(settings.redis_url.get_secret_value(), salt)
    limits = Limits(settings, owner=sessions.owner, devices=devices, salt=salt)
    Routes(accounts, sessions, service_clients, keys, devices).install(app, limits)
    limits.install(app)
    app.wsgi_app = forwarded(app.wsgi_app, service_clients, clock)  # type: ignore[method-assign]
    if hops := settings.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops)  # type: ignore[method-assign]
    # Readiness does not depend on Redis: without it limits are counted in memory (limits.py).
    health = Health(SERVICE, {"mongo": accounts.ready})
    return health.middleware(log_setup.RequestContext(app.wsgi_app))


def _client(settings: Settings) -> MongoClient[dict[str, Any]]:
    """Return a MongoDB client that connects on first use: it is created before gunicorn forks."""
    return MongoClient(
        settings.mongo_url.get_secret_value(),
        connect=False,
        tz_aware=True,
        serverSelectionTimeoutMS=1_000,
        connectTimeoutMS=1_000,
        socketTimeoutMS=5_000,
        waitQueueTimeoutMS=1_000,
        maxPoolSize=THREADS + 1,  # one more for the readiness probe
        appname=SERVICE,
    )


def _install_hooks(app: Flask) -> None:
    def bounded() -> None:
        request.get_data()  # raises 413 before a rate limit parses the body

    app.before_request(bounded)
    answers.install(app, metrics.REQUESTS, cache_control="no-store")
