"""Configure JSON logs, and bind the request and trace ids that connect a request's lines across services."""

from __future__ import annotations

import logging
import re
import secrets
import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

import structlog

_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_LOGGED_PATH = 512  # characters: a request line may have 32 KiB
_PROBES = ("/livez", "/readyz", "/metrics", "/health")


def configure(service: str, version: str, level: str = "INFO") -> None:
    """Write the records of structlog and of the standard library to stderr as JSON, one object a line."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        lambda _logger, _method, event: {"service": service, "version": version, **event},
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)


def new_traceparent() -> str:
    """Return a new, sampled W3C trace context (https://www.w3.org/TR/trace-context/)."""
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"


def bind_request(headers: Callable[[str], str | None]) -> tuple[str, str]:
    """Bind `request_id` and `trace_id` to the log context. Returns (request id, traceparent).

    `headers` returns a request header by name. Malformed ids are replaced, because the logs contain them.
    """
    given_id, given_trace = headers("X-Request-ID") or "", headers("traceparent") or ""
    request_id = given_id if _REQUEST_ID.fullmatch(given_id) else secrets.token_hex(8)
    traceparent = given_trace if _TRACEPARENT.fullmatch(given_trace) else new_traceparent()
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=request_id, trace_id=traceparent[3:35])
    return request_id, traceparent


class RequestContext:
    """WSGI middleware: binds the ids, adds `X-Request-ID` to the response, writes one access line."""

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self._app = app
        self._log = structlog.get_logger("access")

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ.get("PATH_INFO") in _PROBES:
            return self._app(environ, start_response)
        request_id, traceparent = bind_request(
            lambda name: environ.get("HTTP_" + name.upper().replace("-", "_"))
        )
        environ["deltastream.request_id"], environ["deltastream.traceparent"] = request_id, traceparent
        started = time.perf_counter()

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            self._log.info(
                "request",
                method=environ.get("REQUEST_METHOD"),
                path=environ.get("PATH_INFO", "")[:_LOGGED_PATH],
                status=int(status[:3]),
                millis=round((time.perf_counter() - started) * 1000, 2),
            )
            return start_response(status, [*headers, ("X-Request-ID", request_id)], *rest)

        return self._app(environ, start)
