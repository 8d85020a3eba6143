"""Tests that every error of a Flask application becomes a problem (RFC 9457)."""

from __future__ import annotations

import json

import pytest
from flask import Flask, Response, abort, redirect
from tests.support.problems import assert_problem
from werkzeug.test import Client, TestResponse

from chassis import problems
from chassis.bearer import KeysUnavailable, Unauthorized
from chassis.log_setup import RequestContext


class Full(problems.ServiceError):
    """An error of a service."""


@pytest.fixture
def client() -> Client:
    """A service that raises the error that the path names."""
    app = Flask(__name__)
    raised = {
        "full": Full("no space", left=0),
        "input": problems.BadInput(("limit", "must be given once"), ("end", "must be a time")),
        "zero": ZeroDivisionError("with what the caller sent"),
        "token": Unauthorized("the token has expired"),
        "keys": KeysUnavailable(),
        "bug": RuntimeError("with what the caller sent"),
    }

    def view(name: str) -> Response:
        if name.isdigit():
            abort(int(name))
        if name == "moved":
            return redirect("/elsewhere")  # type: ignore[return-value]
        raise raised[name]

    app.add_url_rule("/<name>", view_func=view, methods=["GET"])
    table: problems.Table = {Full: (507, "full"), problems.BadInput: (400, "bad_input")}
    others = {
        Unauthorized: problems.unauthorized,
        KeysUnavailable: problems.no_keys,
        ZeroDivisionError: lambda _error: problems.problem(422, "no_number", "it divides by zero"),
    }
    problems.install(app, "the service", table, others)
    return Client(RequestContext(app.wsgi_app))


def test_a_services_own_error_has_its_status_code_and_members(client: Client) -> None:
    """The service's table of errors sets the status and the code."""
    body = assert_problem(client.get("/full"), 507, "full")
    assert (body["detail"], body["left"]) == ("no space", 0)
    assert assert_problem(client.get("/zero"), 422, "no_number")["detail"] == "it divides by zero"


def test_bad_input_names_every_field_and_rule(client: Client) -> None:
    """`detail` has all problems as text for people, `errors` as a list for programs."""
    body = assert_problem(client.get("/input"), 400, "bad_input")
    assert body["detail"] == "limit: must be given once; end: must be a time"
    assert body["errors"] == [
        {"field": "limit", "rule": "must be given once"},
        {"field": "end", "rule": "must be a time"},
    ]


@pytest.mark.parametrize(
    ("status", "code"),
    [(418, "http_error"), (413, "body_too_large"), (429, "rate_limited")],
)
def test_an_http_error_has_a_stable_code(client: Client, status: int, code: str) -> None:
    """This includes errors that Flask raises itself."""
    assert_problem(client.get(f"/{status}"), status, code)


def test_an_unknown_path_and_a_wrong_method_are_problems_too(client: Client) -> None:
    """A 405 keeps its header Allow."""
    assert_problem(client.get("/a/b"), 404, "not_found")
    answer = client.post("/full")
    assert_problem(answer, 405, "method_not_allowed")
    assert "GET" in answer.headers["Allow"]


def test_a_refused_token_asks_for_a_login_and_missing_keys_ask_for_a_retry(client: Client) -> None:
    """A refused token asks for a login (WWW-Authenticate); missing keys ask for a retry (Retry-After)."""
    refused = client.get("/token")
    assert assert_problem(refused, 401, "unauthorized")["detail"] == "the token has expired"
    assert refused.headers["WWW-Authenticate"] == "Bearer"
    unavailable = client.get("/keys")
    assert assert_problem(unavailable, 503, "upstream_unavailable")["upstream"] == "auth"
    assert unavailable.headers["Retry-After"] == "1"


def test_the_text_of_an_unexpected_error_is_neither_logged_nor_returned(
    client: Client, capsys: pytest.CaptureFixture[str]
) -> None:
    """The text may contain what a caller sent."""
    answer: TestResponse = client.get("/bug")
    body = assert_problem(answer, 500, "internal_error")
    visible = json.dumps(body) + "".join(capsys.readouterr())
    assert "the caller sent" not in visible
    assert body["detail"] == "the service failed; search the logs for the request id"


def test_a_redirect_is_no_error(client: Client) -> None:
    """Werkzeug raises a redirect as an exception, for example for a missing slash."""
    assert client.get("/moved").status_code == 302
