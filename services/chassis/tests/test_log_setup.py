"""Tests for JSON logs, and for the ids that connect the lines of one request."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
import structlog
from werkzeug.test import Client

from chassis import log_setup

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def configure(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], Lines]]:
    """Configure logging as a service does. Call it inside the test: pytest changes the handlers around it."""
    before = logging.getLogger().handlers[:], logging.getLogger().level

    def call() -> Lines:
        log_setup.configure("storage", "1.2.3")
        return lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]

    yield call
    logging.getLogger().handlers[:], logging.getLogger().level = before
    structlog.reset_defaults()


@pytest.fixture
def client() -> Client:
    """An application that responds with the traceparent that it received."""

    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        start_response("200 OK", [])
        return [environ.get("deltastream.traceparent", "").encode()]

    return Client(log_setup.RequestContext(app))


def test_every_line_is_json_and_names_service_and_version(configure: Callable[[], Lines]) -> None:
    """Records of structlog and of the standard library have the same form."""
    lines = configure()
    structlog.get_logger("a").info("ours", n=1)
    logging.getLogger("b").warning("theirs")
    logging.getLogger("b").debug("not at this level")
    ours, theirs = lines()
    assert (ours["event"], ours["n"], ours["level"]) == ("ours", 1, "info")
    assert (theirs["event"], theirs["level"]) == ("theirs", "warning")
    assert {(line["service"], line["version"]) for line in (ours, theirs)} == {("storage", "1.2.3")}


def test_a_callers_ids_appear_in_response_and_log(client: Client, configure: Callable[[], Lines]) -> None:
    """The same ids appear in the logs of all services."""
    lines = configure()
    answer = client.get("/x?token=hunter2", headers={"X-Request-ID": "desk-1", "traceparent": TRACE})
    assert (answer.headers["X-Request-ID"], answer.text) == ("desk-1", TRACE)
    (line,) = lines()
    assert (line["event"], line["method"], line["path"], line["status"]) == ("request", "GET", "/x", 200)
    assert (line["request_id"], line["trace_id"]) == ("desk-1", TRACE[3:35])


def test_a_long_path_is_cut_in_the_log(client: Client, configure: Callable[[], Lines]) -> None:
    """A client must not fill the log with one line for each 32 KiB that it sends."""
    lines = configure()
    client.get("/" + "x" * 5000)
    assert lines()[0]["path"] == "/" + "x" * 511


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "ümlaut", "a;b"])
def test_a_malformed_id_is_replaced(client: Client, given: str) -> None:
    """The ids go into logs and headers, so malformed ones are not accepted."""
    answer = client.get("/x", headers={"X-Request-ID": given, "traceparent": given})
    assert re.fullmatch("[0-9a-f]{16}", answer.headers["X-Request-ID"])
    assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-01", answer.text)


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/health", "/metrics"])
def test_probes_are_not_logged(client: Client, configure: Callable[[], Lines], path: str) -> None:
    """Kubernetes calls the probes every few seconds; their lines would fill the logs."""
    lines = configure()
    assert client.get(path).status_code == 200
    assert lines() == []
