"""Tests for the common response headers and the counter of responses."""

from __future__ import annotations

import pytest
from flask import Flask, Response
from flask.testing import FlaskClient
from prometheus_client import CollectorRegistry, Counter

from chassis import answers


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def client(registry: CollectorRegistry) -> FlaskClient:
    app = Flask(__name__)
    app.add_url_rule("/chains/<product>", "chains", lambda product: product)
    app.add_url_rule("/token", "token", lambda: Response("x", headers={"Cache-Control": "no-store"}))
    counter = Counter("requests", "Requests.", ["route", "method", "status"], registry=registry)
    answers.install(app, counter, cache_control="private, no-cache")
    return app.test_client()


def test_answers_are_not_sniffed_and_cached_as_the_service_says(client: FlaskClient) -> None:
    """A view's own Cache-Control wins over the service's default."""
    for path, cache in (
        ("/chains/A", "private, no-cache"),
        ("/none", "private, no-cache"),
        ("/token", "no-store"),
    ):
        headers = client.get(path).headers
        assert (headers["X-Content-Type-Options"], headers["Cache-Control"]) == ("nosniff", cache)


@pytest.mark.parametrize(
    ("method", "path", "labels"),
    [
        ("GET", "/chains/NIFTY", ("/chains/<product>", "GET", "200")),
        ("POST", "/chains/NIFTY", ("none", "POST", "405")),
        ("GET", "/invented/by/a/client", ("none", "GET", "404")),
        ("BREW", "/chains/NIFTY", ("none", "other", "405")),
    ],
)
def test_answers_are_counted_by_route_template_and_known_method(
    client: FlaskClient, registry: CollectorRegistry, method: str, path: str, labels: tuple[str, str, str]
) -> None:
    """An invented path or method creates no new series."""
    client.open(path, method=method)
    named = dict(zip(("route", "method", "status"), labels, strict=True))
    assert registry.get_sample_value("requests_total", named) == 1
