"""What every answer of a Flask application carries, and the counter that counts it."""

from __future__ import annotations

from flask import Flask, Response, request
from prometheus_client import Counter

_METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"})


def install(app: Flask, counter: Counter, *, cache_control: str) -> None:
    """Count answers by (route, method, status), and give those that have none a `Cache-Control`.

    Labels are the application's own words: a route's template, never a path that a client invented.
    """

    def finish(response: Response) -> Response:
        response.headers.setdefault("Cache-Control", cache_control)
        response.headers["X-Content-Type-Options"] = "nosniff"
        route = request.url_rule.rule if request.url_rule else "none"
        method = request.method if request.method in _METHODS else "other"
        counter.labels(route, method, response.status_code).inc()
        return response

    app.after_request(finish)
