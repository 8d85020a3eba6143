"""Build the gateway's objects from its settings and connect them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

import orjson
import redis
import structlog
import urllib3
from flask import Flask
from flask.json.provider import JSONProvider
from flask_openapi3 import Info, OpenAPI, Server  # type: ignore[attr-defined]
from werkzeug.middleware.proxy_fix import ProxyFix

from api_gateway import (
    __version__,
    dead_letters,
    docs,
    edge,
    errors,
    feeds,
    import_routes,
    imports,
    ingest,
    limits,
    messages,
    page,
    proxy,
    readiness,
    replay_routes,
    replays,
    routes,
    sources,
    upstream,
)
from api_gateway.answers import Problem
from api_gateway.chassis import log_setup
from api_gateway.chassis.bearer import Verifier
from api_gateway.chassis.health import Health
from api_gateway.chassis.service_token import ServiceToken
from api_gateway.config import Settings, load
from api_gateway.forwarded import Forwarded
from api_gateway.identity import AUDIENCE, Identity
from api_gateway.identity import EXTENSION as IDENTITY
from api_gateway.recent import Recent
from api_gateway.repeats import Repeats

SERVICE = "api-gateway"
THREADS = 16
WSGIApp = Callable[..., Iterable[bytes]]


class _Json(JSONProvider):
    """Flask's JSON by orjson: it rejects NaN and, unlike the standard library, survives deep nesting."""

    def dumps(self, obj: Any, **_kwargs: Any) -> str:
        return orjson.dumps(obj).decode()

    def loads(self, s: str | bytes, **_kwargs: Any) -> Any:
        return orjson.loads(s)


def create_app(settings: Settings | None = None) -> WSGIApp:
    """Return the gateway as a WSGI application. Reads the environment if `settings` is None."""
    settings = settings or load()
    log_setup.configure(SERVICE, __version__, settings.log_level)
    if settings.anonymous_read:
        structlog.get_logger("start").warning(
            "anonymous_read",
            meaning="data and analytics are served without a token; use this for a local run only",
        )
    app = _flask_app(settings)
    health = Health(SERVICE, readiness.Sweep(_targets(settings)).checks())
    return health.middleware(log_setup.RequestContext(app.wsgi_app))


def _flask_app(settings: Settings) -> Flask:
    app = OpenAPI(
        __name__,
        info=Info(
            title="DeltaStream API",
            version=__version__,
            description="Live options analytics. Prices are per share, volatilities annualised, times UTC.",
        ),
        servers=[Server(url="/")],
        security_schemes={"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        validation_error_status=400,
        validation_error_model=Problem,
        validation_error_callback=errors.bad_input,
        doc_ui=False,
        static_folder=None,
    )
    app.json = _Json(app)
    for blueprint in (routes.auth, routes.data, routes.analytics, replay_routes.feeds, routes.ingest):
        app.register_api(blueprint)
    if settings.import_folder:
        app.register_api(import_routes.imports)
    docs.install(app, docs.completed(app.api_doc, anonymous_read=settings.anonymous_read))
    page.install(
        app,
        socket_url=settings.socket_url,
        anonymous_read=settings.anonymous_read,
        local_run=settings.local_run,
    )
    recent = Recent(settings.read_cache_seconds)
    app.extensions[proxy.EXTENSION] = _proxy(settings, recent)
    table = feeds.connect(settings.redis_url.get_secret_value())
    app.extensions[feeds.EXTENSION] = table
    app.extensions[ingest.EXTENSION] = ingest.connect(
        settings.redis_url.get_secret_value(), table, settings.ingest_high_water
    )
    app.extensions[dead_letters.EXTENSION] = dead_letters.DeadLetters(table.reading, table)
    app.extensions[replays.EXTENSION] = replays.Replays(table.reading, table)
    if settings.import_folder:
        app.extensions[imports.EXTENSION] = imports.Imports(settings.import_folder, table.reading)
    app.extensions[messages.EXTENSION] = messages.Messages(table.reading, table)
    app.extensions[sources.EXTENSION] = sources.Sources(table.reading, table)

    # Hooks run in the order of their installation.
    errors.install(app)
    # DNS rebinding: any web site can point its own host name at this address and read what needs no token.
    own = {*edge.LOOPBACK, *settings.allowed_hosts, *settings.cors_hosts}
    hosts = own if settings.anonymous_read else None
    edge.install(app, cors_origins=settings.cors_origins, hosts=hosts)
    jwks_url = f"{settings.auth_url}/.well-known/jwks.json"
    identity = Identity(Verifier(jwks_url, AUDIENCE), anonymous_read=settings.anonymous_read)
    app.extensions[IDENTITY] = identity
    read_limit = limits.install(
        app,
        redis_url=settings.redis_url.get_secret_value(),
        reads=[routes.data, routes.analytics, routes.feeds, import_routes.imports],
        auth=routes.auth,
        ingest=routes.ingest,
        caller=identity.caller,
        reads_per_minute=settings.rate_limit_per_minute,
        auth_per_minute=settings.auth_rate_limit_per_minute,
        ingest_per_minute=settings.ingest_rate_limit_per_minute,
    )
    app.before_request(identity.admit)
    app.wsgi_app = Repeats(app.wsgi_app, identity, recent, read_limit)  # type: ignore[method-assign]
    if hops := settings.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    return app


def _proxy(settings: Settings, recent: Recent) -> proxy.Proxy:
    http = upstream.pool(THREADS)
    bound, secret = settings.upstream_max_bytes, settings.service_client_secret.get_secret_value()
    return proxy.Proxy(
        auth=upstream.Upstream("auth", settings.auth_url, http, max_bytes=bound),
        storage=upstream.Upstream("storage", settings.storage_url, http, max_bytes=bound),
        analytics=upstream.Upstream("analytics", settings.analytics_url, http, max_bytes=bound),
        tokens=ServiceToken(http, settings.auth_url, settings.service_client_id, secret),
        forwarded=Forwarded(settings.service_client_id, secret, clock=time.time),
        recent=recent,
    )


def _targets(settings: Settings) -> dict[str, Callable[[], object]]:
    """Return a check for each dependency that must answer before the gateway is ready."""
    urls = {
        "auth": f"{settings.auth_url}/readyz",
        "storage": f"{settings.storage_url}/readyz",
        "analytics": f"{settings.analytics_url}/readyz",
        **settings.ready_urls,
    }
    http = urllib3.PoolManager(num_pools=len(urls))
    client = redis.Redis.from_url(
        settings.redis_url.get_secret_value(), socket_connect_timeout=0.5, socket_timeout=1.0
    )
    return {"redis": client.ping, **{name: readiness.answers_ok(http, url) for name, url in urls.items()}}
