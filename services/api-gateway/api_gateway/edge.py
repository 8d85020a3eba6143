"""Checks and headers of every request: host name, sizes, CORS, response headers and the request metric."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urlsplit

from flask import Flask, Response, request

from api_gateway import metrics
from api_gateway.chassis import answers
from api_gateway.chassis.problems import BadInput
from api_gateway.errors import ForeignHost, QueryTooLong, WrongMediaType
from api_gateway.ingest import MAX_BODY_BYTES as MAX_INGEST_BYTES
from api_gateway.ingest_lines import JSON, NDJSON

MAX_BODY_BYTES = 64 << 10
MAX_IMPORT_BYTES = 32 << 20
MAX_QUERY_BYTES = 2 << 10
FORM = "multipart/form-data"
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def host_name(host: str) -> str:
    """Return the name in a Host header without port and brackets, or "" if the header is malformed."""
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port  # raises ValueError if the port is invalid
    except ValueError:
        return ""
    return (parts.hostname or "") if parts.netloc == host and "@" not in host else ""


def install(app: Flask, *, cors_origins: Collection[str], hosts: Collection[str] | None = None) -> None:
    """Install the hooks on `app`.

    Call it before the rate limits are installed: a request that is refused here then counts against no limit.
    `cors_origins` are the allowed web origins; `hosts` the allowed names in Host (None: any).
    """
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES

    def check_host() -> None:
        if hosts is not None and host_name(request.host) not in hosts:
            raise ForeignHost("with ANONYMOUS_READ, Host must be localhost or a name in ALLOWED_HOSTS")

    def check_size() -> None:
        if len(request.query_string) > MAX_QUERY_BYTES:
            raise QueryTooLong(f"the query string is longer than {MAX_QUERY_BYTES} bytes")
        if request.blueprint == "ingest" and request.method == "POST":
            check_ingest()
        elif request.blueprint == "imports" and request.method == "POST":
            if request.mimetype != FORM:
                raise WrongMediaType(f"send the files as {FORM}, each in a part named file")
        # 413 if the body is too long, with or without a Content-Length
        elif request.get_data() and request.url_rule:  # without a rule the answer is 404 or 405
            request.get_json()  # 400 or 415 if the body is not JSON

    def check_ingest() -> None:
        # Before the token is verified, as for all routes, so that every refusal costs the same.
        if request.mimetype not in (NDJSON, JSON) or request.content_encoding not in (None, "identity"):
            raise WrongMediaType(
                f"send Content-Type: {NDJSON}, one message a line, or {JSON}, an array, without an encoding"
            )
        request.max_content_length = MAX_INGEST_BYTES
        request.get_data()  # 413 if the body is too long; ingest_lines.py parses it

    def check_repetition() -> None:
        # flask-openapi3 would use one of the values and ignore the others.
        if request.url_rule and (twice := [name for name, found in request.args.lists() if len(found) > 1]):
            raise BadInput(*((name[:40], "must be given once") for name in twice))

    def allowed_origin() -> str | None:
        origin = request.headers.get("Origin")
        return origin if origin in cors_origins else None

    def preflight() -> Response | None:
        if request.method != "OPTIONS" or "Access-Control-Request-Method" not in request.headers:
            return None
        answer = Response(status=204)
        if allowed_origin():
            answer.headers["Access-Control-Allow-Methods"] = "GET, POST"
            answer.headers["Access-Control-Allow-Headers"] = (
                "Authorization, Content-Type, If-None-Match, X-Request-ID, traceparent"
            )
            answer.headers["Access-Control-Max-Age"] = "600"
        return answer

    def finish(response: Response) -> Response:
        if cors_origins:
            response.vary.add("Origin")
        if origin := allowed_origin():
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = "X-Request-ID, Retry-After, ETag"
        response.headers["Referrer-Policy"] = "no-referrer"
        if request.blueprint == "auth":
            response.headers["Cache-Control"] = "no-store"
        return response

    # Shared caches must not store responses to authorised requests. Flask calls the newest after_request hook
    # first, so `finish` runs before this one.
    answers.install(app, metrics.REQUESTS, cache_control="private, no-cache")
    app.before_request(check_host)
    app.before_request(check_size)
    app.before_request(check_repetition)
    app.before_request(preflight)
    app.after_request(finish)
