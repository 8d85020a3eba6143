"""Set the common headers of every response of a Flask application, and count the responses."""

from __future__ import annotations

from flask import Flask, Response, request
from prometheus_client import Counter

_METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE"})


def install(app: Flask, counter: Counter, *, cache_control: str) -> None:
    """Count responses by (route, method, status), and set `Cache-Control` where a view did not set it.

    The labels come from the application, not from the client: the route is the URL template. A client
    therefore cannot create new series with invented paths.
    """

    def finish(response: Response) -> Response:
        response.headers.setdefault("Cache-Control", cache_control)
        response.headers["X-Content-Type-Options"] = "nosniff"
        route = request.url_rule.rule if request.url_rule else "none"
        method = request.method if request.method in _METHODS else "other"
        counter.labels(route, method, response.status_code).inc()
        return response

    app.after_request(finish)
