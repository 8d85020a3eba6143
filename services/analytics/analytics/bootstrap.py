"""Build analytics' objects from its settings and connect them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from flask import Flask, has_request_context, request

from analytics import __version__, cache, errors, metrics, stored
from analytics.chassis import answers, log_setup
from analytics.chassis.bearer import Verifier
from analytics.chassis.health import Health
from analytics.chassis.service_token import ServiceToken
from analytics.config import Settings, load
from analytics.routes import EXTENSION, Readers, routes
from analytics.sources import Sources

SERVICE = AUDIENCE = "analytics"
THREADS = 8
WSGIApp = Callable[..., Iterable[bytes]]


def create_app(settings: Settings | None = None) -> WSGIApp:
    """Return analytics as a WSGI application. Reads the environment if `settings` is None."""
    settings = settings or load()
    log_setup.configure(SERVICE, __version__, settings.log_level)
    # One connection per thread and one for the readiness probe. Clients connect on first use,
    # which is after gunicorn has forked.
    redis = cache.Cache(cache.connect(settings.redis_url.get_secret_value(), connections=THREADS + 1))
    sources = Sources(redis, _storage(settings))
    app = Flask(__name__, static_folder=None)
    app.extensions[EXTENSION] = Readers(sources, redis)
    errors.install(app)
    _install_hooks(app, Verifier(f"{settings.auth_url}/.well-known/jwks.json", AUDIENCE))
    app.register_blueprint(routes)
    # One check covers both sources, because either is enough to serve. Two checks would make the pod unready
    # when one source is unavailable, and the fallback would be useless.
    health = Health(SERVICE, {"cache_or_storage": sources.ping})
    return health.middleware(log_setup.RequestContext(app.wsgi_app))


def _storage(settings: Settings) -> stored.Storage:
    http = stored.pool(THREADS + 1)
    secret = settings.service_client_secret.get_secret_value()
    tokens = ServiceToken(http, settings.auth_url, settings.service_client_id, secret)
    return stored.Storage(http, settings.storage_url, tokens, trace=_trace)


def _trace() -> Mapping[str, str]:
    if not has_request_context():
        return {}
    return {
        "X-Request-ID": request.environ.get("deltastream.request_id", ""),
        "traceparent": request.environ.get("deltastream.traceparent", ""),
    }


def _install_hooks(app: Flask, verifier: Verifier) -> None:
    def admit() -> None:
        verifier.claims(request.headers.get("Authorization"))

    app.before_request(admit)
    answers.install(app, metrics.REQUESTS, cache_control="private, no-cache")
